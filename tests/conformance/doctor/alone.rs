//! What takes the bench host for itself.

use super::*;

#[test]
fn doctor_names_exactly_what_was_broken_and_its_remedy_heals() {
    let bench = bench::alone();
    // A session without its engine is a silent one.
    bench.empty();
    let (prepare, mend) = (format!("{KINDS}{PREPARE}"), format!("{KINDS}{MEND}"));
    let _mend = Disturbance::of(&bench, &prepare, mend);
    let is_declared = bench.bash(&[], &format!("{KINDS}declared")).code == Some(0);
    let sabotages = SABOTAGES.iter().chain(OF_FILES.iter().filter(|_| !is_declared));
    // Sessions of tests before this one end in their time.
    let well = settled(&bench, "true", DEADLINE, |lines| odd(lines).is_empty());
    assert!(odd(&well).is_empty(), "a host that is well: {}", odd(&well).join("; "));
    // What is healed is looked at together with what is broken next: a run of doctor's less for each.
    let (mut heal, mut wrong) = ("true".to_owned(), Vec::new());
    for Sabotage(check, consequences, breaks, remedy) in sabotages {
        let expected: BTreeSet<String> = std::iter::once(check).chain(*consequences).map(|one| (*one).into()).collect();
        let ill = settled(&bench, &format!("{heal}\n{breaks}"), SETTLED, |lines| difference(&well, lines) == expected);
        let named = difference(&well, &ill);
        let helpless = expected.iter().filter(|one| ill[*one].0 == "pass" || ill[*one].1.is_empty());
        let helpless: Vec<&String> = helpless.collect();
        if named != expected || !helpless.is_empty() {
            // The others are reported as well.
            wrong.push(format!(
                "broken: {breaks}\n  named {named:?}\n  and not {expected:?}; no help with {helpless:?}\n  healed before: {heal}"
            ));
        }
        heal = match remedy {
            Remedy => ill[*check].1.clone(),
            RemedyOf(other) => ill[*other].1.clone(),
            By(script) => (*script).to_owned(),
        };
    }
    let healed = settled(&bench, &heal, DEADLINE, |lines| difference(&well, lines).is_empty());
    let left = difference(&well, &healed);
    assert!(left.is_empty(), "not healed by {heal}: {left:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
