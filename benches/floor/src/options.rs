//! The command line.

use std::{net::Ipv4Addr, str::FromStr, time::Duration};

pub const USAGE: &str = "\
media-floor [--bind 127.0.0.1] [--port 0] [--core 0]
  --batch 32            datagrams, or trains of them, that one call takes in
  --gso 1 --gro 1       trains out, trains in
  --gather-us 500       sleep so long after each batch, so that packets gather
  --gather-count 16     sleep only until so many datagrams are to be expected, and not at all for a few
  --wait recv           recv (blocking recvmmsg), poll or epoll
  --spin-us 0           look again and again for so long before sleeping
  --busy-poll-us 0      SO_BUSY_POLL
  --zerocopy 0          MSG_ZEROCOPY
  --whole 1             IP_PMTUDISC_DO: no identification for fragments that there will not be
  --study 0             bring clients for so many consults of three, and then
  --secs 6 --clients-core 1 --client-gso 0 --tick-us 250";

/// How the loop waits for the next datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// A receive call that blocks.
    Receive,
    /// `poll`, then a receive call that does not.
    Poll,
    /// `epoll_wait`, then a receive call that does not.
    Epoll,
}

#[derive(Debug, Clone)]
pub struct Options {
    pub bind: Ipv4Addr,
    pub port: u16,
    pub core: usize,
    pub batch: usize,
    pub gso: bool,
    pub gro: bool,
    pub gather: Duration,
    /// Datagrams to wait for, `gather` at most; 0 is `gather` always.
    pub gather_count: u32,
    pub wait: Wait,
    pub spin: Duration,
    pub busy_poll_us: u32,
    pub zerocopy: bool,
    pub whole: bool,
    /// 0 serves clients from outside.
    pub study_consults: usize,
    pub duration: Duration,
    pub clients_core: usize,
    pub client_gso: bool,
    /// How often the own clients wake.
    pub tick: Duration,
}

impl Options {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            bind: Ipv4Addr::LOCALHOST,
            port: 0,
            core: 0,
            batch: 32,
            gso: true,
            gro: true,
            gather: Duration::from_micros(500),
            gather_count: 16,
            wait: Wait::Receive,
            spin: Duration::ZERO,
            busy_poll_us: 0,
            zerocopy: false,
            whole: true,
            study_consults: 0,
            duration: Duration::from_secs(6),
            clients_core: 1,
            client_gso: false,
            tick: Duration::from_micros(250),
        };
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
            options.set(&name, &value)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let micros = || parsed(name, value).map(Duration::from_micros);
        let flag = || parsed::<u8>(name, value).map(|value| value != 0);
        match name {
            "--bind" => self.bind = parsed(name, value)?,
            "--port" => self.port = parsed(name, value)?,
            "--core" => self.core = parsed(name, value)?,
            "--batch" => self.batch = parsed::<usize>(name, value)?.clamp(1, 1024),
            "--gso" => self.gso = flag()?,
            "--gro" => self.gro = flag()?,
            "--gather-us" => self.gather = micros()?,
            "--gather-count" => self.gather_count = parsed(name, value)?,
            "--wait" => self.wait = wait(value)?,
            "--spin-us" => self.spin = micros()?,
            "--busy-poll-us" => self.busy_poll_us = parsed(name, value)?,
            "--zerocopy" => self.zerocopy = flag()?,
            "--whole" => self.whole = flag()?,
            "--study" => self.study_consults = parsed(name, value)?,
            "--secs" => self.duration = parsed(name, value).map(Duration::from_secs)?,
            "--clients-core" => self.clients_core = parsed(name, value)?,
            "--client-gso" => self.client_gso = flag()?,
            "--tick-us" => self.tick = micros()?,
            _ => return Err(format!("there is no {name}")),
        }
        Ok(())
    }
}

fn parsed<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} cannot be {value}"))
}

fn wait(value: &str) -> Result<Wait, String> {
    match value {
        "recv" => Ok(Wait::Receive),
        "poll" => Ok(Wait::Poll),
        "epoll" => Ok(Wait::Epoll),
        _ => Err(format!("--wait cannot be {value}")),
    }
}
