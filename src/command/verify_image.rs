//! `podspawn verify-image IMAGE`: what an image has, and what its users will miss.

use super::{
    doctor::{as_json, as_text, exit_code},
    list::Broker,
    progress::Display,
    table::colour,
};
use crate::{
    doctor::{
        Report,
        image::{self, Wanted},
    },
    domain::ImageRef,
    engine,
    protocol::varlink::{VerifyImageParameters, VerifyImageReply, methods::VerifyImage},
};
use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  podspawn verify-image debian:12\n  podspawn verify-image --json registry.example.org/team/dev:3 | jq -r \
                  '.checks[] | select(.outcome == \"fail\") | .remedy'\n\nThe image is pulled if it is missing. A container of it is \
                  started like a session's, examined from inside, and removed. The exit code is 1 if a check fails."
)]
pub struct Options {
    /// The image, as the engine names it
    image: ImageRef,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    broker: Broker,
}

/// Runs the verb; the exit code is 1 if a check fails.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    super::require_root("verify-image")?;
    let mut display = Display::new(io::stderr().is_terminal());
    let show = |reply: VerifyImageReply| {
        if let Some(progress) = &reply.progress {
            display.show(progress);
        }
    };
    let parameters = VerifyImageParameters { image: options.image.to_string() };
    let result = options.broker.connect()?.call_with_progress::<VerifyImage>(&parameters, show);
    display.clear();
    let (reply, _) = result?;
    let lines = lines(&options.image, &reply)?;
    let text = if options.json { as_json(&lines)? } else { as_text(&lines, colour()) };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(exit_code(&lines))
}

fn lines(image: &ImageRef, reply: &VerifyImageReply) -> anyhow::Result<Vec<Report>> {
    let shell = reply.shell.as_deref().unwrap_or("/bin/sh");
    match (&reply.facts, &reply.problem) {
        (Some(facts), _) => Ok(image::lines(facts, &Wanted { shell })),
        (None, Some(problem)) => {
            let command = engine::product().command;
            let remedy =
                format!("{command} run --rm {image} shows more; {command} image inspect {image} has its architecture");
            Ok(vec![Report::fail("architecture", problem, remedy)])
        }
        (None, None) => anyhow::bail!("the podspawn broker returned nothing about {image}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{doctor::Outcome, protocol::examination::Facts};

    #[test]
    fn an_image_that_does_not_start_is_one_failure_and_an_empty_answer_is_no_pass() {
        let image = "debian:12".parse().unwrap();
        let reply = VerifyImageReply { problem: Some("exec format error".into()), ..VerifyImageReply::default() };
        let found = lines(&image, &reply).unwrap();
        assert_eq!((found.len(), found[0].outcome, found[0].seen.as_str()), (1, Outcome::Fail, "exec format error"));
        assert!(lines(&image, &VerifyImageReply::default()).is_err());
        let reply = VerifyImageReply { facts: Some(Facts::default()), ..VerifyImageReply::default() };
        assert!(lines(&image, &reply).unwrap().iter().any(|line| line.outcome == Outcome::Fail));
    }
}
