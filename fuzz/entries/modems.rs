//! What a modem says to its line, whatever it says.

use std::sync::Arc;
use std::time::Duration;

use milu::signalling::modem::{LineSettings, ModemInput, ModemLine, ModemOutput, Profile, SUPPORT_ROWS_MAX};
use milu::terms::Moment;

/// Families whose rows differ most.
const PROFILES: [&str; 3] = [
    include_str!("../../firmware-config/modems/huawei.toml"),
    include_str!("../../firmware-config/modems/quectel_ec2x.toml"),
    include_str!("../../firmware-config/modems/simcom_sim7600.toml"),
];

/// A stream of octets of which the first chooses the family and the second how
/// they are cut. Between the pieces time goes by, and whoever is offered is
/// answered. Each offer ends once, sound is open only within a call, and the same
/// octets in other pieces make the line write the same.
pub fn at_rows(bytes: &[u8]) {
    let Some((&family, rest)) = bytes.split_first() else { return };
    let Some((&size, rest)) = rest.split_first() else { return };
    let text = PROFILES[usize::from(family) % PROFILES.len()];
    let profile = Arc::new(Profile::parse(text, "profile.toml").expect("a delivered profile"));
    // Within one moment the cut of the octets does not matter.
    let mut whole = Fed::new(profile.clone());
    whole.bytes(rest, rest.len().max(1));
    let mut cut = Fed::new(profile.clone());
    cut.bytes(rest, usize::from(size).max(1));
    assert_eq!(whole.outputs, cut.outputs, "the cut of the octets does not matter");
    // And with time between the pieces.
    let mut slow = Fed::new(profile);
    for piece in rest.chunks(usize::from(size).max(1)) {
        slow.bytes(piece, piece.len());
        slow.time(Duration::from_millis(u64::from(family) * 20 + 5));
    }
    slow.time(Duration::from_secs(60));
    slow.give(ModemInput::PortGone);
    assert_eq!(slow.offered, slow.ended, "each offer ends once");
    assert!(!slow.open, "no sound without a call");
}

struct Fed {
    line: ModemLine,
    now: Moment,
    outputs: Vec<ModemOutput>,
    offered: u32,
    ended: u32,
    open: bool,
}

impl Fed {
    fn new(profile: Arc<Profile>) -> Self {
        let now = Moment::START;
        let line = ModemLine::new(profile, LineSettings::default(), now);
        let mut fed = Self { line, now, outputs: Vec::new(), offered: 0, ended: 0, open: false };
        fed.give(ModemInput::PortOpened);
        fed
    }

    fn bytes(&mut self, bytes: &[u8], size: usize) {
        for piece in bytes.chunks(size) {
            self.give(ModemInput::Bytes(piece));
        }
    }

    fn give(&mut self, input: ModemInput<'_>) {
        self.line.handle(input, self.now);
        let mut answers = 0;
        while let Some(output) = self.line.poll() {
            match output {
                ModemOutput::Offered { .. } => (self.offered, answers) = (self.offered + 1, answers + 1),
                ModemOutput::Ended(_) => self.ended += 1,
                ModemOutput::OpenSound(_) => {
                    assert!(!self.open, "sound is open once");
                    self.open = true;
                }
                ModemOutput::CloseSound => self.open = false,
                _ => {}
            }
            self.outputs.push(output);
        }
        assert!(self.ended <= self.offered, "what was not offered does not end");
        assert!(self.line.support_rows().len() <= SUPPORT_ROWS_MAX);
        if answers > 0 {
            self.give(ModemInput::Answer);
        }
    }

    fn time(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.line.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.give(ModemInput::Tick);
            assert!(self.line.deadline().is_none_or(|next| next > self.now), "a deadline is over once it was told");
        }
        self.now = end;
    }
}
