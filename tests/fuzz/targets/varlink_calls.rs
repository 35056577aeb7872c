//! Calls on the broker's socket, with the parameters of each method.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(Err(parameter)) = podspawn::broker::fuzz_call(bytes) {
        assert!(!parameter.is_empty(), "a refusal names the parameter");
        assert!(parameter.chars().count() <= 200, "a refusal is as long as the call");
    }
});
