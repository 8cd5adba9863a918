//! One group of the packet filter's log (NFLOG): records as the kernel makes them in, what they say out.
//!
//! A group has one reader in a network namespace. Binding it keeps every other program from it, so no group is read that
//! was not asked for.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::thread::{CapabilitySet, capabilities};
use tokio::sync::mpsc::Sender;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::info;
use weir_flow::Decoder;
use weir_model::{Frame, LinkType, LossStage, PolicyLog, Timestamp};
use weir_service::clock::Clock;

use super::attributes::{attributes, number_32, put};
use super::observer::{Between, Chains, GROUP};
use super::socket::{Message, Netfilter, Read, Request};
use super::standing::{STANDING, Standing};
use crate::event::Event;
use crate::readable::readable;

/// The subsystem's kinds of messages (`linux/netfilter/nfnetlink_log.h`): a packet was logged; a group is set up.
const PACKET: u16 = 0x400;
const CONFIG: u16 = 0x401;

const CONFIG_COMMAND: u16 = 1;
const CONFIG_MODE: u16 = 2;
const CONFIG_THRESHOLD: u16 = 5;
const CONFIG_FLAGS: u16 = 6;
const BIND: u8 = 1;
const COPY_PACKET: u8 = 2;
/// Records are numbered, so that those that are missing are counted.
const NUMBERED: u16 = 1;
/// The attribute with that number.
const NUMBER: u16 = 12;

/// How much of a packet is needed: the headers up to the ports, behind options and extensions.
const COPY_BYTES: u32 = 256;

/// Room for records in the kernel.
const ROOM_BYTES: usize = 4 << 20;

const TICK: Duration = Duration::from_secs(1);

/// Reads one group.
pub(crate) struct Nflog {
    group: u16,
    decoder: Decoder,
    standing: Standing,
    /// The number of the next record.
    next: Option<u32>,
    /// When the last record came.
    last: Timestamp,
    /// What is between the observer's chains; `None` = they are somebody else's.
    between: Option<Between>,
}

impl Nflog {
    /// Not read yet.
    pub(crate) fn new(group: u16, queue: Sender<Event>, clock: Arc<dyn Clock>) -> Self {
        let standing = Standing::new(&format!("nflog-{group}"), queue, clock);
        let last = standing.now();
        Self { group, decoder: Decoder::new(Vec::new()), standing, next: None, last, between: None }
    }

    /// The group of the agent's own chains, which stand as long as it is read.
    pub(crate) fn observer(queue: Sender<Event>, clock: Arc<dyn Clock>) -> Self {
        Self { between: Some(Between::default()), ..Self::new(GROUP, queue, clock) }
    }

    /// Reads until `stop`. What is not to be had is said once, and tried again.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            let Err(error) = self.follow(&stop).await else { return };
            let problem = format!("{}; verdicts are inferred from policies only", self.why(&error));
            self.standing.set(Some(problem)).await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(STANDING) => {}
            }
        }
    }

    async fn follow(&mut self, stop: &CancellationToken) -> io::Result<()> {
        let mut log = Netfilter::open(ROOM_BYTES)?;
        for request in setting_up(self.group) {
            // Nothing is copied before the mode is set.
            log.order(&request)?;
        }
        let chains = self.between.is_some().then(Chains::put_up);
        let _chains = chains.transpose().map_err(io::Error::other)?;
        let mut ready = readable(&log)?;
        info!(group = self.group, "packet filter log");
        self.next = None;
        self.standing.set(None).await;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => {
                    self.drain(&mut log).await?;
                    self.tell_dropped().await;
                    return Ok(());
                }
                ready = ready.readable_mut() => ready?.clear_ready(),
                _ = tick.tick() => {
                    self.tell_dropped().await;
                    self.standing.repeat().await;
                }
            }
            self.drain(&mut log).await?;
        }
    }

    async fn drain(&mut self, log: &mut Netfilter) -> io::Result<()> {
        loop {
            let now = self.standing.now();
            let (mut records, mut missing) = (Vec::new(), 0);
            let (decoder, next) = (&mut self.decoder, &mut self.next);
            let read = log.read(|message| {
                missing += missing_before(message, next);
                records.extend(record(message, decoder, now));
            })?;
            // What the kernel had no room for is counted by the number of the next record.
            if missing > 0 {
                self.standing.lose(LossStage::Nflog, self.last, Some(missing)).await;
                self.between.iter_mut().for_each(Between::forget);
            }
            if !records.is_empty() {
                self.last = now;
            }
            for record in records {
                let others = match &mut self.between {
                    Some(between) => between.take(record),
                    None => Some(record),
                };
                if let Some(record) = others {
                    self.standing.tell(Event::PolicyLog(Box::new(record))).await;
                }
            }
            if read == Read::Nothing {
                return Ok(());
            }
        }
    }

    /// What the observer's first chain logged and the second one did not.
    async fn tell_dropped(&mut self) {
        let now = self.standing.now();
        let dropped = self.between.iter_mut().flat_map(|between| between.dropped(now)).collect::<Vec<_>>();
        for packet in dropped {
            self.standing.tell(Event::PolicyLog(Box::new(packet))).await;
        }
    }

    fn why(&self, error: &io::Error) -> String {
        let may = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::NET_ADMIN));
        match error.kind() {
            io::ErrorKind::PermissionDenied if !may => "it needs the capability NET_ADMIN".to_owned(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ResourceBusy => {
                format!("another program reads group {}, and it has one reader only", self.group)
            }
            io::ErrorKind::InvalidInput | io::ErrorKind::NotFound | io::ErrorKind::Unsupported => {
                format!("the kernel has no nfnetlink_log ({error})")
            }
            _ => error.to_string(),
        }
    }
}

/// Binds the group, then has each record sent at once: the kernel gathers them for up to a second otherwise.
fn setting_up(group: u16) -> [Request; 2] {
    let request = |attributes| Request { kind: CONFIG, family: 0, resource: group, attributes };
    let mut bind = Vec::new();
    put(&mut bind, CONFIG_COMMAND, &[BIND]);
    let mut set = Vec::new();
    let mut mode = COPY_BYTES.to_be_bytes().to_vec();
    mode.extend([COPY_PACKET, 0]);
    put(&mut set, CONFIG_MODE, &mode);
    put(&mut set, CONFIG_THRESHOLD, &1_u32.to_be_bytes());
    put(&mut set, CONFIG_FLAGS, &NUMBERED.to_be_bytes());
    [request(bind), request(set)]
}

/// How many records there should have been between the last one and this.
fn missing_before(message: Message<'_>, next: &mut Option<u32>) -> u64 {
    if message.kind != PACKET {
        return 0;
    }
    let number = attributes(message.attributes()).find(|(kind, _)| *kind == NUMBER);
    let Some(number) = number.and_then(|(_, value)| number_32(value)) else { return 0 };
    let expected = next.replace(number.wrapping_add(1));
    expected.map_or(0, |expected| u64::from(number.wrapping_sub(expected)))
}

/// What a record says. It is laid out as in captures, behind netlink's own header.
fn record(message: Message<'_>, decoder: &mut Decoder, time: Timestamp) -> Option<PolicyLog> {
    let wire_len = message.body.len() as u32;
    let frame = Frame { time, wire_len, link: LinkType::NFLOG, bytes: message.body };
    (message.kind == PACKET).then(|| decoder.policy_log(&frame).ok()).flatten()
}
