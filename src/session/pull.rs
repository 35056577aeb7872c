//! Pulling an image; its progress, which the engine reports layer by layer, is shown as one line.

use super::AttachError;
use crate::{
    domain::ImageRef,
    engine::{Engine, PullProgress},
    protocol::varlink::Step,
};
use std::collections::BTreeMap;

/// Most layers that are counted; an image has at most 127.
const MAX_LAYERS: usize = 256;

/// Fetches an image from its registry, passing each line of progress to `show`.
pub(super) async fn pull(
    engine: &impl Engine,
    image: &ImageRef,
    mut show: impl FnMut(Step),
) -> Result<(), AttachError> {
    let mut layers = Layers::new(image);
    show(layers.shown.clone());
    let mut report = |progress| {
        if let Some(step) = layers.update(progress) {
            show(step);
        }
    };
    engine.pull(image, &mut report).await.map_err(|source| AttachError::Image { image: image.clone(), source })
}

/// The layers of an image, with the bytes done and in all.
struct Layers {
    text: String,
    by_name: BTreeMap<String, (u64, u64)>,
    shown: Step,
}

impl Layers {
    fn new(image: &ImageRef) -> Self {
        let text = format!("pulling {image}");
        let shown = Step::new(text.clone());
        Self { text, by_name: BTreeMap::new(), shown }
    }

    /// Takes one report; returns the line if it has changed.
    fn update(&mut self, progress: PullProgress) -> Option<Step> {
        // Extraction counts from 0 again; the download takes the time.
        if let (Some(layer), Some(current), Some(total), "Downloading") =
            (progress.layer, progress.current, progress.total, progress.status.as_str())
            && (self.by_name.len() < MAX_LAYERS || self.by_name.contains_key(&layer))
        {
            self.by_name.insert(layer, (current.min(total), total));
        }
        let sum = |part: fn(&(u64, u64)) -> u64| self.by_name.values().map(part).fold(0u64, u64::saturating_add);
        let (done, total) = (sum(|layer| layer.0), sum(|layer| layer.1));
        let step = Step { text: self.text.clone(), done: Some(done), total: Some(total).filter(|total| *total > 0) };
        // The engine reports every 64 KiB; every hundredth part is enough.
        let coarse = |step: &Step| step.done.unwrap_or(0).saturating_mul(100) / step.total.unwrap_or(1).max(1);
        if step.total == self.shown.total && coarse(&step) == coarse(&self.shown) {
            return None;
        }
        self.shown = step.clone();
        Some(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_add_up_to_one_line() {
        let mut layers = Layers::new(&"debian:12".parse().unwrap());
        let report = |layer: &str, current, total| PullProgress {
            layer: Some(layer.into()),
            status: "Downloading".into(),
            current: Some(current),
            total: Some(total),
        };
        layers.update(report("a", 0, 1000)).unwrap();
        let step = layers.update(report("b", 500, 1000)).unwrap();
        assert_eq!((step.text.as_str(), step.done, step.total), ("pulling debian:12", Some(500), Some(2000)));
        assert_eq!(layers.update(report("b", 501, 1000)), None);
        assert!(layers.update(report("b", 5000, 1000)).is_some_and(|step| step.done == Some(1000)));
    }
}
