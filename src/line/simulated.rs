//! A line made of channels, for tests: the test is the telephone network. It
//! has no socket and no clock; the test gives the times and moves the sound.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::terms::{EndCause, LineId, PhoneNumber};

use super::{LegEnd, Line, LineHealth, LineState, Offer, Rhythm, leg};

/// Calls that wait to be offered: a test rings with a few at once.
const RINGING: usize = 64;

/// The desk's side of the simulated line.
pub struct SimulatedLine {
    id: LineId,
    rings: mpsc::Receiver<Ring>,
    calls: Arc<AtomicU32>,
}

/// The network's side: it rings.
#[derive(Clone)]
pub struct SimulatedNetwork {
    rings: mpsc::Sender<Ring>,
}

struct Ring {
    from: Option<PhoneNumber>,
    taken: tokio::sync::oneshot::Sender<Result<LegEnd, EndCause>>,
}

impl SimulatedLine {
    pub fn new(id: LineId) -> (Self, SimulatedNetwork) {
        let (sender, rings) = mpsc::channel(RINGING);
        (Self { id, rings, calls: Arc::new(AtomicU32::new(0)) }, SimulatedNetwork { rings: sender })
    }
}

impl SimulatedNetwork {
    /// Rings, and returns the network's end of the leg once the desk has been
    /// offered the call; a cause when the desk had no room or the line is down.
    pub async fn ring(&self, from: Option<PhoneNumber>) -> Result<LegEnd, EndCause> {
        let (taken, answer) = tokio::sync::oneshot::channel();
        self.rings.send(Ring { from, taken }).await.map_err(|_| EndCause::NetworkOutOfOrder)?;
        answer.await.map_err(|_| EndCause::NetworkOutOfOrder)?
    }
}

impl Line for SimulatedLine {
    fn id(&self) -> &LineId {
        &self.id
    }

    fn serve(
        mut self: Box<Self>,
        offers: mpsc::Sender<Offer>,
        stop: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            while let Some(Some(ring)) = stop.run_until_cancelled(self.rings.recv()).await {
                let (leg, end) = leg(Rhythm::Box);
                let offer = Offer { line: self.id.clone(), from: ring.from, leg };
                let taken = offers.try_send(offer).map(|()| end).map_err(|_| EndCause::SwitchingCongestion);
                self.calls.fetch_add(u32::from(taken.is_ok()), Ordering::Relaxed);
                if ring.taken.send(taken).is_err() {
                    tracing::debug!("a simulated caller hung up before the call was offered");
                }
            }
        })
    }

    fn health(&self) -> Arc<dyn Fn() -> LineHealth + Send + Sync> {
        let (id, calls) = (self.id.clone(), self.calls.clone());
        Arc::new(move || LineHealth {
            id: id.clone(),
            kind: "simulated",
            state: LineState::Ready,
            address: "channels".to_owned(),
            calls: calls.load(Ordering::Relaxed),
            trouble: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::LegCommand;

    #[tokio::test]
    async fn a_ring_reaches_the_desk_and_its_answer_the_network() {
        let (line, network) = SimulatedLine::new(LineId::parse("front-desk").expect("a name"));
        let (offers, mut offered) = mpsc::channel::<Offer>(1);
        let stop = CancellationToken::new();
        let desk = async {
            let offer = offered.recv().await.expect("an offer");
            offer.leg.commands.send(LegCommand::Answer).await.expect("the line listens");
            offer
        };
        let caller = async { network.ring(None).await.expect("taken") };
        let served = Box::new(line).serve(offers, stop.clone());
        let ((_offer, mut end), ()) = tokio::join!(
            async {
                let both = tokio::join!(desk, caller);
                stop.cancel();
                both
            },
            served
        );
        assert_eq!(end.commands.recv().await, Some(LegCommand::Answer));
    }
}
