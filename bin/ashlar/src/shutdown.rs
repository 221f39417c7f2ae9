//! Stopping: by a signal, by the one who started us, or because that one is gone.

use tokio::sync::watch;

/// Asks everything that holds a [`Shutdown`] to stop.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Hears when to stop.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// A stopper and what hears it.
pub fn channel() -> (Stopper, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Shutdown(receiver))
}

impl Stopper {
    /// Asks to stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Stops on SIGINT and SIGTERM, and, if `with_parent`, when standard input closes: whoever
    /// started us holds the other end, so it closes however that process ends.
    pub fn on_signals(&self, with_parent: bool) -> std::io::Result<()> {
        let stopper = self.clone();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                else {
                    return stopper.stop();
                };
                runtime.block_on(async {
                    use tokio::signal::unix::{SignalKind, signal};
                    let (Ok(mut interrupt), Ok(mut terminate)) = (
                        signal(SignalKind::interrupt()),
                        signal(SignalKind::terminate()),
                    ) else {
                        return;
                    };
                    tokio::select! {
                        _ = interrupt.recv() => {},
                        _ = terminate.recv() => {},
                        () = stopper.requested() => {},
                    }
                });
                stopper.stop();
            })?;
        if with_parent {
            let stopper = self.clone();
            std::thread::Builder::new()
                .name("parent".to_owned())
                .spawn(move || {
                    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
                    stopper.stop();
                })?;
        }
        Ok(())
    }

    async fn requested(&self) {
        let mut receiver = self.0.subscribe();
        let _ = receiver.wait_for(|stop| *stop).await;
    }
}

impl Shutdown {
    /// Whether someone asked to stop.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when asked to stop.
    pub async fn requested(&mut self) {
        // An error means that the stopper is gone, and with it whoever wanted us to run.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
