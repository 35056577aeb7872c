//! The count of one login: once, whatever its result, also if its client has gone.

use crate::{
    measure::{
        Measures,
        catalog::{DENIALS, FAILURES, LOGIN_TIME, LOGINS},
    },
    session::AttachError,
};
use std::{cell::Cell, rc::Rc, time::Instant};

pub(super) struct Login {
    measures: Rc<Measures>,
    began: Instant,
    /// Whether it waited for a container.
    cold: Cell<bool>,
    counted: Cell<bool>,
}

impl Login {
    pub(super) fn begin(measures: &Rc<Measures>) -> Self {
        Self { measures: Rc::clone(measures), began: Instant::now(), cold: Cell::default(), counted: Cell::default() }
    }

    /// Notes that the login has to wait for its container.
    pub(super) fn waits(&self) {
        self.cold.set(true);
    }

    pub(super) fn succeeded(&self) {
        self.end("ok");
        self.measures.time(&LOGIN_TIME, if self.cold.get() { "cold" } else { "warm" }, self.began.elapsed());
    }

    /// Policy refused it.
    pub(super) fn denied(&self, reason: &str) {
        self.end("denied");
        self.measures.count(&DENIALS, reason);
    }

    pub(super) fn failed(&self, error: &AttachError) {
        if let AttachError::Denied(denial) = error {
            return self.denied(denial.kind());
        }
        self.end("failed");
        if let Some(kind) = error.kind() {
            self.measures.count(&FAILURES, kind);
        }
    }

    fn end(&self, outcome: &str) {
        if !self.counted.replace(true) {
            self.measures.count(&LOGINS, outcome);
        }
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        self.end("abandoned");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::EngineError,
        openmetrics::{Dialect, render},
        policy::Denial,
    };
    use std::sync::Arc;

    #[test]
    fn a_login_is_counted_once_however_it_ends() {
        let measures = Rc::new(Measures::default());
        Login::begin(&measures).succeeded();
        let cold = Login::begin(&measures);
        cold.waits();
        cold.succeeded();
        drop(cold);
        drop(Login::begin(&measures));
        Login::begin(&measures).denied("unknown_project");
        Login::begin(&measures).failed(&AttachError::Denied(Denial::TooManyContainers { limit: 1 }));
        let engine = AttachError::Engine { step: "x", source: EngineError::DiskFull };
        Login::begin(&measures).failed(&AttachError::Shared(Arc::new(engine)));
        let text = render(&measures.families(), Dialect::Text);
        for line in [
            "podspawn_logins_total{outcome=\"ok\"} 2",
            "podspawn_logins_total{outcome=\"denied\"} 2",
            "podspawn_logins_total{outcome=\"failed\"} 1",
            "podspawn_logins_total{outcome=\"abandoned\"} 1",
            "podspawn_denials_total{reason=\"unknown_project\"} 1",
            "podspawn_denials_total{reason=\"too_many_containers\"} 1",
            "podspawn_login_failures_total{reason=\"engine\"} 1",
            "podspawn_login_duration_seconds_count{start=\"warm\"} 1",
            "podspawn_login_duration_seconds_count{start=\"cold\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }

    #[test]
    fn every_label_of_a_counter_is_in_the_catalog() {
        use crate::{
            domain::{Cause, RemovedKind},
            measure::catalog::{DESTROYED, SWEPT},
        };
        let project: crate::domain::ProjectName = "p".parse().unwrap();
        let key = crate::domain::SessionKey { user: "alice".parse().unwrap(), project: None };
        let denials = [
            Denial::UnknownProject { project: project.clone(), open: Vec::new() },
            Denial::NotAllowed { user: key.user.clone(), project: project.clone() },
            Denial::TooManySessions { sessions: 1, limit: 1, free: key },
            Denial::TooManyContainers { limit: 1 },
            Denial::NotBuilt { project },
        ];
        for denial in denials {
            assert!(DENIALS.values.contains(&denial.kind()), "{denial}");
        }
        let causes = [
            Cause::Disconnect,
            Cause::GracePeriod,
            Cause::Lifetime,
            Cause::Stopped,
            Cause::OutOfMemory,
            Cause::ContainerEnded,
        ];
        assert_eq!(causes.map(Cause::as_str), DESTROYED.values);
        assert_eq!(
            [RemovedKind::Session, RemovedKind::Container, RemovedKind::Network, RemovedKind::Directory]
                .map(RemovedKind::as_str),
            SWEPT.values
        );
        let failures = [
            AttachError::Engine { step: "x", source: EngineError::DiskFull },
            AttachError::Image { image: "x".parse().unwrap(), source: EngineError::DiskFull },
            AttachError::NoSubnet,
            AttachError::NoUid("65536-99999".parse().unwrap()),
            AttachError::Store(crate::store::StoreError::Corrupt("x".into())),
            AttachError::Files("x", std::io::ErrorKind::NotFound.into()),
            AttachError::Silent(crate::link::LinkError::Down),
        ];
        for failure in failures {
            assert!(FAILURES.values.contains(&failure.kind().unwrap()), "{failure}");
        }
    }
}
