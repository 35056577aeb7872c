//! Every file of the configuration: a value, or mistakes with places in one line each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podspawn::config::{Config, ConfigError, Projects, UserOverrides};

fn check<T>(parsed: Result<T, Vec<ConfigError>>) {
    if let Err(mistakes) = parsed {
        assert!(!mistakes.is_empty());
        for mistake in mistakes {
            let text = mistake.to_string();
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    check(Config::parse(text));
    check(Projects::parse(text));
    check(UserOverrides::parse(text));
    let _ = Config::key_dir(text);
});
