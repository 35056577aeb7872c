//! `images`: the images that users would get are on this server.

use super::{Check, Group, Host, Problem, Report, engine::diagnosis};
use crate::protocol::varlink::DiagnoseReply;

/// The check.
pub(super) const CHECK: Check = Check {
    name: "images",
    group: Group::Engine,
    passes_if: "the default image and those of users and projects are on this server",
    problems: &[ABSENT],
    needs_root: false,
    run,
};
const ABSENT: Problem =
    Problem::warn("an image is missing, and the first login pulls it", "`{engine-command} pull {image}`");

fn run(host: &Host) -> Report {
    match diagnosis(host, &CHECK) {
        Ok(reply) => images(reply),
        Err(report) => report,
    }
}

fn images(reply: &DiagnoseReply) -> Report {
    let unknown = reply.images.iter().filter(|image| image.present.is_none()).count();
    let absent = reply.images.iter().filter(|image| image.present == Some(false));
    let problem = |image: &crate::protocol::varlink::ImageInfo| {
        let seen = format!("{} (for {}) is not on this server, so the first login waits for it", image.image, image.of);
        CHECK.report(&ABSENT, seen, &[("image", &image.image)])
    };
    let problems: Vec<Report> = absent.map(problem).collect();
    if problems.is_empty() && unknown > 0 {
        return CHECK.unknown(format!("the engine does not say of {unknown} images"), "see engine");
    }
    CHECK.merge(problems, format!("all {} images that users would get are here", reply.images.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{doctor::Outcome, protocol::varlink::ImageInfo};

    #[test]
    fn images_that_are_missing_are_named_and_without_an_answer_it_is_unknown() {
        let image = |present| ImageInfo { image: "a:1".into(), of: "project web".into(), present };
        let of = |present| images(&DiagnoseReply { images: vec![image(present)], ..DiagnoseReply::default() });
        assert_eq!(of(Some(true)).outcome, Outcome::Pass);
        assert_eq!((of(Some(false)).outcome, of(Some(false)).remedy.as_str()), (Outcome::Warn, "docker pull a:1"));
        assert!(of(None).seen.starts_with("unknown"));
    }
}
