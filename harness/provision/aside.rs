//! Work that takes its time, beside the event loop, so that Ctrl-C is heard meanwhile;
//! and somebody who hears how it goes.

use super::ProvisionError;
use halfway_builder::{Progress, Stage};

/// Hears the stages of one piece of work. It is dropped when that has ended.
pub type Listener = Box<dyn FnMut(&Stage) + Send>;

/// Makes a listener for each piece of work.
pub type Listen<'a> = &'a dyn Fn() -> Listener;

/// For whoever does not want to hear anything.
pub fn silent() -> Listener {
    Box::new(|_| ())
}

/// Does work on a thread of its own, and says what takes time.
pub async fn aside<T: Send + 'static>(
    listen: Listen<'_>,
    work: impl FnOnce(&mut Progress<'_>) -> T + Send + 'static,
) -> Result<T, ProvisionError> {
    let mut listener = listen();
    let done = tokio::task::spawn_blocking(move || work(&mut |stage: &Stage| listener(stage)));
    done.await.map_err(|_| ProvisionError::Broken)
}
