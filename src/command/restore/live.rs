//! Whether there are sessions that a restore could cost their containers.

use crate::{backup::Places, domain::chain};
use std::path::Path;

/// The most that are named.
const NAMED: usize = 5;

/// The sessions of this host, by its state: it names one before its container is made, and until that is gone.
pub(super) fn sessions(etc: &Path) -> Result<Vec<String>, String> {
    Places::here(etc).and_then(|places| places.live_sessions()).map_err(|error| chain(&error))
}

/// Why nothing should be restored now.
pub(super) fn obstacle(sessions: &Result<Vec<String>, String>) -> Option<String> {
    match sessions {
        Ok(sessions) if sessions.is_empty() => None,
        Ok(sessions) => {
            let mut named = sessions.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            if sessions.len() > NAMED {
                named += ", …";
            }
            let count = match sessions.len() {
                1 => "is a session".to_owned(),
                count => format!("are {count} sessions"),
            };
            Some(format!(
                "there {count} ({named}) whose container may be lost; end it with `podspawn stop`, or use --force"
            ))
        }
        Err(why) => Some(format!(
            "whether there are sessions is not known ({why}); use --force if they may lose their containers"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_and_not_knowing_stand_in_the_way() {
        assert_eq!(obstacle(&Ok(Vec::new())), None);
        let many: Vec<String> = (0..7).map(|n| format!("user{n}")).collect();
        let message = obstacle(&Ok(many)).unwrap();
        assert!(obstacle(&Ok(vec!["alice".into()])).unwrap().starts_with("there is a session (alice) whose container"));
        assert!(message.contains("are 7 sessions (user0, user1, user2, user3, user4, …)"), "{message}");
        assert!(obstacle(&Err("damaged".into())).unwrap().contains("is not known (damaged)"));
    }
}
