use super::{FakeEngine, Verb};
use crate::{
    domain,
    engine::{self, Engine, EngineError},
};
use contract::Ground;
use std::time::{Duration, Instant};

#[path = "../../../tests/engine/contract.rs"]
mod contract;

fn ground() -> Ground {
    Ground {
        number: 1,
        image: "debian:12".parse().unwrap(),
        entrypoint: vec!["/podspawn".into(), "guest".into()],
        binds: Vec::new(),
    }
}

macro_rules! clauses {
    ($($clause:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $clause() {
            let engine = FakeEngine::with_images(&["debian:12"]);
            contract::$clause(&engine, &ground()).await;
            assert_eq!(engine.counts(), (0, 0));
        }
    )*};
}

clauses!(
    a_session_is_made_found_and_removed,
    a_container_and_its_network_can_be_made_at_once,
    a_container_whose_network_is_absent_starts_once_it_is_there,
    names_are_unique,
    networks_do_not_overlap,
    a_network_in_use_stays,
    an_absent_image_is_an_error_of_its_own,
    what_the_engine_does_not_accept_is_refused,
    a_container_that_is_gone_is_gone_for_every_verb,
    starting_twice_and_removing_twice_at_once_are_fine,
    a_limit_above_what_the_machine_has_is_no_error,
    a_watch_reports_the_events_of_a_container,
);

#[tokio::test]
async fn a_fault_hits_the_next_call_of_its_verb_and_no_other() {
    let engine = FakeEngine::with_images(&["debian:12"]);
    engine.fail_next(Verb::CreateContainer, EngineError::DiskFull);
    engine.create_network(&ground().network(0)).await.unwrap();
    let error = engine.create_container(&ground().container(0)).await.unwrap_err();
    assert!(matches!(error, EngineError::DiskFull), "{error:?}");
    engine.create_container(&ground().container(0)).await.unwrap();
    assert_eq!(engine.verbs(), [Verb::CreateNetwork, Verb::CreateContainer, Verb::CreateContainer]);
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_what_was_done() {
    let engine = FakeEngine::with_images(&["debian:12"]);
    engine.lose_answer(Verb::CreateContainer);
    let error = engine.create_container(&ground().container(0)).await.unwrap_err();
    assert!(error.is_unknown(), "{error:?}");
    assert_eq!(engine.counts(), (1, 0));
}

#[tokio::test]
async fn an_end_by_lack_of_memory_shows_and_the_container_can_start_again() {
    let engine = FakeEngine::with_images(&["debian:12"]);
    engine.create_network(&ground().network(0)).await.unwrap();
    let id = engine.create_container(&ground().container(0)).await.unwrap();
    engine.start_container(&id).await.unwrap();
    engine.end_container(&id, 137, true);
    let status = engine.inspect_container(&id).await.unwrap();
    assert_eq!((status.running, status.oom_killed, status.exit_code), (false, true, Some(137)));
    engine.start_container(&id).await.unwrap();
    assert_eq!(engine.spec_of(&id).unwrap(), ground().container(0));
}

#[tokio::test]
async fn a_published_image_can_be_pulled_and_a_delay_delays() {
    let engine = FakeEngine::default();
    engine.publish("alpine:3");
    engine.delay(Verb::Pull, Duration::from_millis(20));
    let (began, mut steps) = (Instant::now(), 0);
    engine.pull(&"alpine:3".parse().unwrap(), &mut |_| steps += 1).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(20) && steps == 1);
}
