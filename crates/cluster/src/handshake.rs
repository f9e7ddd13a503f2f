//! Two processes prove to each other that they know the secret, before anything else is read.
//!
//! | step | who | bytes |
//! |---|---|---|
//! | 1 | the one that connects | magic; a Noise message with whom it calls, who it is, what for, and for which run |
//! | 2 | the one that listens | magic; a Noise message |
//! | 3 | the one that connects | an empty transport message: it has the keys, and repeats no old call |
//!
//! It is the pattern NNpsk0 of Noise (<https://noiseprotocol.org/noise.html>), whose pre-shared key is a hash of the
//! secret. All messages have a fixed length. The secret never travels, what was recorded cannot be used again, and what
//! was protected with the keys cannot be read later by who learns the secret.
//!
//! A handshake has one deadline for all of it, and who answers waits for nobody: see [`Answering`].

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use snow::{Builder, HandshakeState, StatelessTransportState};

use crate::channel::{Channel, TAG, is_within_machine};

/// The protocol and its version.
const MAGIC: [u8; 8] = *b"towpath\x02";

const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_SHA256";

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Data,
    Line,
}

/// Who calls whom, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) purpose: Purpose,
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) run: u64,
}

const WRONG_SECRET: &str = "it does not have the same secret (PATHWAY_CLUSTER_SECRET)";

/// The length of a call, with whether what follows is protected.
const CALL: usize = 1 + 1 + 4 + 4 + 8;

/// The length of what a Noise message has of its own.
const NOISE: usize = 32 + TAG;

const FIRST: usize = MAGIC.len() + NOISE + CALL;
const SECOND: usize = MAGIC.len() + NOISE;
const THIRD: usize = TAG;

impl Call {
    fn bytes(self, is_protected: bool) -> [u8; CALL] {
        let mut bytes = [0; CALL];
        bytes[0] = match self.purpose {
            Purpose::Data => 0,
            Purpose::Line => 1,
        };
        bytes[1] = u8::from(is_protected);
        bytes[2..6].copy_from_slice(&self.from.to_le_bytes());
        bytes[6..10].copy_from_slice(&self.to.to_le_bytes());
        bytes[10..].copy_from_slice(&self.run.to_le_bytes());
        bytes
    }

    /// The call, and whether what follows is protected.
    fn read(bytes: &[u8; CALL]) -> io::Result<(Self, bool)> {
        let word =
            |start: usize| u32::from_le_bytes([bytes[start], bytes[start + 1], bytes[start + 2], bytes[start + 3]]);
        let call = Self {
            purpose: match bytes[0] {
                0 => Purpose::Data,
                1 => Purpose::Line,
                _ => return Err(refuse("what calls speaks another language")),
            },
            from: word(2),
            to: word(6),
            run: u64::from(word(10)) | u64::from(word(14)) << 32,
        };
        Ok((call, bytes[1] != 0))
    }
}

fn refuse(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, message)
}

fn check_magic(bytes: &[u8]) -> io::Result<()> {
    if bytes == MAGIC {
        Ok(())
    } else if bytes[..7] == MAGIC[..7] {
        Err(refuse("it speaks another version of the protocol"))
    } else {
        Err(refuse("what is there is no process of this kind"))
    }
}

/// The key that both ends make of the secret.
fn key(secret: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update(b"towpath cluster\0")
        .chain_update(secret.as_bytes())
        .finalize()
        .into()
}

fn noise(secret: &str, is_caller: bool) -> io::Result<HandshakeState> {
    let key = key(secret);
    let build = || {
        let builder = Builder::new(PATTERN.parse()?).prologue(&MAGIC)?.psk(0, &key)?;
        if is_caller {
            builder.build_initiator()
        } else {
            builder.build_responder()
        }
    };
    build().map_err(failed)
}

fn failed(error: snow::Error) -> io::Error {
    io::Error::other(format!("the handshake failed: {error}"))
}

/// What is made of the keys.
fn channel(stream: TcpStream, keys: StatelessTransportState, is_protected: bool) -> Channel {
    Channel::new(stream, is_protected.then_some(keys))
}

/// Proves to the process that was called who calls, and makes it prove the same, by the deadline.
pub(crate) fn call(stream: TcpStream, call: Call, secret: &str, deadline: Instant) -> io::Result<Channel> {
    let is_protected = !is_within_machine(&stream);
    let mut noise = noise(secret, true)?;
    let mut first = [0; FIRST];
    first[..MAGIC.len()].copy_from_slice(&MAGIC);
    noise
        .write_message(&call.bytes(is_protected), &mut first[MAGIC.len()..])
        .map_err(failed)?;
    (&stream).write_all(&first)?;
    let mut second = [0; SECOND];
    read_by(&stream, &mut second, deadline)?;
    check_magic(&second[..MAGIC.len()])?;
    noise
        .read_message(&second[MAGIC.len()..], &mut [])
        .map_err(|_| refuse(WRONG_SECRET))?;
    let keys = noise.into_stateless_transport_mode().map_err(failed)?;
    let mut third = [0; THIRD];
    keys.write_message(0, &[], &mut third).map_err(failed)?;
    (&stream).write_all(&third)?;
    Ok(channel(stream, keys, is_protected))
}

/// Reads all of it by the deadline, however slowly it comes.
fn read_by(mut stream: &TcpStream, mut bytes: &mut [u8], deadline: Instant) -> io::Result<()> {
    let mut is_first = true;
    while !bytes.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer in time"));
        }
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match stream.read(bytes) {
            // Who finds our call wrong hangs up.
            Ok(0) if is_first => return Err(refuse(WRONG_SECRET)),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(len) => bytes = &mut bytes[len..],
            Err(error) if is_timeout(&error) || error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_first && error.kind() == io::ErrorKind::ConnectionReset => {
                return Err(refuse(WRONG_SECRET));
            }
            Err(error) => return Err(error),
        }
        is_first = false;
    }
    Ok(())
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// One who calls and has not proved yet that it may. Its connection does not block: whenever it may have sent
/// something, [`Answering::advance`] takes what is there.
pub(crate) struct Answering {
    stream: TcpStream,
    /// What has come of the message that is awaited.
    received: Vec<u8>,
    state: State,
}

enum State {
    /// Awaits the call.
    Called,
    /// Awaits the proof that it was no old one.
    Answered {
        keys: Box<StatelessTransportState>,
        call: Call,
        is_protected: bool,
    },
}

/// What has become of a handshake.
pub(crate) enum Progress {
    /// It goes on, and whether something has come.
    Open(Answering, bool),
    Made(Call, Channel),
    Refused(io::Error),
}

impl Answering {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            received: Vec::new(),
            state: State::Called,
        }
    }

    /// Takes what has come.
    pub(crate) fn advance(mut self, secret: &str) -> Progress {
        let mut has_come = false;
        loop {
            // A stranger is not waited for longer than it takes to see that it is one.
            let wanted = match self.state {
                State::Called if self.received.len() < MAGIC.len() => MAGIC.len(),
                State::Called => FIRST,
                State::Answered { .. } => THIRD,
            };
            let start = self.received.len();
            self.received.resize(wanted, 0);
            let read = (&self.stream).read(&mut self.received[start..]);
            self.received.truncate(start + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Progress::Refused(self.hung_up()),
                Ok(_) => has_come = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Progress::Open(self, has_come),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Progress::Refused(self.hung_up());
                }
                Err(error) => return Progress::Refused(error),
            }
            if self.received.len() < wanted {
                continue;
            }
            if let State::Answered { .. } = self.state {
                return match self.proved() {
                    Ok((call, channel)) => Progress::Made(call, channel),
                    Err(error) => Progress::Refused(error),
                };
            }
            let answered = check_magic(&self.received[..MAGIC.len()]).and_then(|()| match wanted {
                FIRST => self.answer(secret),
                _ => Ok(()),
            });
            if let Err(error) = answered {
                return Progress::Refused(error);
            }
        }
    }

    /// Why it has ended, if the other end has closed it.
    fn hung_up(&self) -> io::Error {
        match self.state {
            State::Called => io::Error::new(io::ErrorKind::UnexpectedEof, "it hung up"),
            // Who finds our answer wrong does.
            State::Answered { .. } => refuse(WRONG_SECRET),
        }
    }

    fn answer(&mut self, secret: &str) -> io::Result<()> {
        let mut noise = noise(secret, false)?;
        let mut bytes = [0; CALL];
        noise
            .read_message(&self.received[MAGIC.len()..], &mut bytes)
            .map_err(|_| refuse(WRONG_SECRET))?;
        let (call, is_protected) = Call::read(&bytes)?;
        if !is_protected && !is_within_machine(&self.stream) {
            return Err(refuse(
                "it is on another machine and wants to send what is not protected",
            ));
        }
        let mut second = [0; SECOND];
        second[..MAGIC.len()].copy_from_slice(&MAGIC);
        noise.write_message(&[], &mut second[MAGIC.len()..]).map_err(failed)?;
        let keys = noise.into_stateless_transport_mode().map_err(failed)?;
        // There is always room for so little: it is the first that goes there.
        (&self.stream).write_all(&second)?;
        self.received.clear();
        self.state = State::Answered {
            keys: Box::new(keys),
            call,
            is_protected,
        };
        Ok(())
    }

    fn proved(self) -> io::Result<(Call, Channel)> {
        let State::Answered {
            keys,
            call,
            is_protected,
        } = self.state
        else {
            return Err(refuse(WRONG_SECRET));
        };
        keys.read_message(0, &self.received, &mut [])
            .map_err(|_| refuse(WRONG_SECRET))?;
        self.stream.set_nonblocking(false)?;
        Ok((call, channel(self.stream, *keys, is_protected)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const CALLED: Call = Call {
        purpose: Purpose::Line,
        from: 3,
        to: 1,
        run: 1 << 40,
    };

    /// The keys of both ends of a connection.
    pub(crate) fn keys() -> (StatelessTransportState, StatelessTransportState) {
        let (mut ours, mut theirs) = (noise("s", true).expect("a state"), noise("s", false).expect("a state"));
        let (mut message, mut payload) = ([0; 200], [0; 200]);
        let len = ours.write_message(&[], &mut message).expect("a message");
        theirs.read_message(&message[..len], &mut payload).expect("it fits");
        let len = theirs.write_message(&[], &mut message).expect("a message");
        ours.read_message(&message[..len], &mut payload).expect("it fits");
        let end = |state: HandshakeState| state.into_stateless_transport_mode().expect("it is finished");
        (end(ours), end(theirs))
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    fn answer(stream: TcpStream, secret: &str) -> io::Result<(Call, Channel)> {
        stream.set_nonblocking(true)?;
        let mut answering = Answering::new(stream);
        let deadline = soon();
        loop {
            match answering.advance(secret) {
                Progress::Made(call, channel) => return Ok((call, channel)),
                Progress::Refused(error) => return Err(error),
                Progress::Open(open, _) => answering = open,
            }
            assert!(Instant::now() < deadline, "the handshake has no end");
            thread::yield_now();
        }
    }

    fn talk(caller: impl FnOnce(TcpStream) + Send + 'static, secret: &str) -> io::Result<Call> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let calling = thread::spawn(move || caller(TcpStream::connect(address).expect("somebody listens")));
        let (stream, _) = listener.accept().expect("somebody calls");
        let result = answer(stream, secret);
        calling.join().expect("the caller does not panic");
        result.map(|(call, _)| call)
    }

    #[test]
    fn both_know_the_secret() {
        let result = talk(
            |stream| drop(call(stream, CALLED, "s", soon()).expect("the answer is right")),
            "s",
        );
        assert_eq!(result.expect("the call is right"), CALLED);
    }

    #[test]
    fn a_wrong_secret_is_refused_by_both() {
        let result = talk(
            |stream| {
                let error = call(stream, CALLED, "wrong", soon()).expect_err("the secrets differ");
                assert!(error.to_string().contains("PATHWAY_CLUSTER_SECRET"), "{error}");
            },
            "right",
        );
        assert!(result.is_err());
    }

    #[test]
    fn a_call_that_was_recorded_proves_nothing() {
        let mut state = noise("s", true).expect("a state");
        let mut first = [0; FIRST];
        first[..MAGIC.len()].copy_from_slice(&MAGIC);
        state
            .write_message(&CALLED.bytes(false), &mut first[MAGIC.len()..])
            .expect("a message");
        let result = talk(
            move |mut stream| {
                stream.write_all(&first).expect("written");
                stream.read_exact(&mut [0; SECOND]).expect("answered");
                stream.write_all(&[7; THIRD]).expect("written");
            },
            "s",
        );
        let error = result.expect_err("it does not have the keys");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn who_answers_slowly_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let stream = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
        let (mut slow, _) = listener.accept().expect("connected");
        let dripping = thread::spawn(move || {
            while slow.write_all(b"t").is_ok() {
                thread::sleep(Duration::from_millis(2));
            }
        });
        let start = Instant::now();
        let error = call(stream, CALLED, "s", start + Duration::from_millis(30)).expect_err("it is too slow");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        dripping.join().expect("it ends with the connection");
    }

    #[test]
    fn strangers_are_refused() {
        for bytes in [
            &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
            b"",
            &[0; 1000],
            b"towpath\x01",
            b"towpath\x02",
            &[&b"towpath\x02"[..], &[3; 1000]].concat(),
        ] {
            let bytes = bytes.to_vec();
            let result = talk(move |mut stream| drop(stream.write_all(&bytes)), "s");
            assert!(result.is_err());
        }
    }
}
