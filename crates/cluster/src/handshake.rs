//! Two processes prove to each other that they know the secret, before anything else is read.
//!
//! | step | who | bytes |
//! |---|---|---|
//! | 1 | the one that connects | magic, what the connection is for, its number, the other's, the run, 32 random bytes |
//! | 2 | the one that listens | magic, 32 random bytes, HMAC-SHA256 of all so far and "listener" |
//! | 3 | the one that connects | HMAC-SHA256 of all of step 1 and the random bytes of step 2 and "caller" |
//!
//! All messages have a fixed length. The secret is the key of the HMAC (RFC 2104), so it never travels, and what was
//! recorded cannot be used again. The data itself is not encrypted.

use std::io::{self, Read, Write};

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The protocol and its version.
const MAGIC: [u8; 8] = *b"towpath\x01";

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

const CALL: usize = 8 + 1 + 4 + 4 + 8 + 32;
const ANSWER: usize = 8 + 32 + 32;

impl Call {
    fn bytes(self, nonce: [u8; 32]) -> [u8; CALL] {
        let mut bytes = [0; CALL];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8] = match self.purpose {
            Purpose::Data => 0,
            Purpose::Line => 1,
        };
        bytes[9..13].copy_from_slice(&self.from.to_le_bytes());
        bytes[13..17].copy_from_slice(&self.to.to_le_bytes());
        bytes[17..25].copy_from_slice(&self.run.to_le_bytes());
        bytes[25..].copy_from_slice(&nonce);
        bytes
    }

    fn read(bytes: &[u8; CALL]) -> io::Result<Self> {
        check_magic(&bytes[..8])?;
        let word =
            |start: usize| u32::from_le_bytes([bytes[start], bytes[start + 1], bytes[start + 2], bytes[start + 3]]);
        Ok(Self {
            purpose: match bytes[8] {
                0 => Purpose::Data,
                1 => Purpose::Line,
                _ => return Err(refuse("what calls speaks another language")),
            },
            from: word(9),
            to: word(13),
            run: u64::from(word(17)) | u64::from(word(21)) << 32,
        })
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

fn nonce() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(format!("no random bytes: {error}")))?;
    Ok(bytes)
}

fn mac(secret: &str, parts: [&[u8]; 3]) -> io::Result<Hmac<Sha256>> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|error| io::Error::other(error.to_string()))?;
    parts.iter().for_each(|part| mac.update(part));
    Ok(mac)
}

/// Proves to the process that was called who calls, and makes it prove the same.
pub(crate) fn call(stream: &mut (impl Read + Write), call: Call, secret: &str) -> io::Result<()> {
    let sent = call.bytes(nonce()?);
    stream.write_all(&sent)?;
    let mut answer = [0; ANSWER];
    stream.read_exact(&mut answer)?;
    check_magic(&answer[..8])?;
    mac(secret, [&sent, &answer[8..40], b"listener"])?
        .verify_slice(&answer[40..])
        .map_err(|_| refuse(WRONG_SECRET))?;
    let proof = mac(secret, [&sent, &answer[8..40], b"caller"])?.finalize().into_bytes();
    stream.write_all(&proof)
}

/// Makes who calls prove that it may, and proves the same.
pub(crate) fn answer(stream: &mut (impl Read + Write), secret: &str) -> io::Result<Call> {
    let mut received = [0; CALL];
    // A stranger is told nothing, and is not waited for longer than it takes to see that it is one.
    stream.read_exact(&mut received[..8])?;
    check_magic(&received[..8])?;
    stream.read_exact(&mut received[8..])?;
    let call = Call::read(&received)?;
    let nonce = nonce()?;
    let mut answer = [0; ANSWER];
    answer[..8].copy_from_slice(&MAGIC);
    answer[8..40].copy_from_slice(&nonce);
    answer[40..].copy_from_slice(&mac(secret, [&received, &nonce, b"listener"])?.finalize().into_bytes());
    stream.write_all(&answer)?;
    let mut proof = [0; 32];
    // Who finds our proof wrong hangs up.
    let wrong_secret = || refuse(WRONG_SECRET);
    stream.read_exact(&mut proof).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => wrong_secret(),
        _ => error,
    })?;
    mac(secret, [&received, &nonce, b"caller"])?
        .verify_slice(&proof)
        .map_err(|_| wrong_secret())?;
    Ok(call)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;

    const CALLED: Call = Call {
        purpose: Purpose::Line,
        from: 3,
        to: 1,
        run: 1 << 40,
    };

    fn talk(caller: impl FnOnce(TcpStream) + Send + 'static, secret: &str) -> io::Result<Call> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let calling = thread::spawn(move || caller(TcpStream::connect(address).expect("somebody listens")));
        let (mut stream, _) = listener.accept().expect("somebody calls");
        let result = answer(&mut stream, secret);
        drop(stream);
        calling.join().expect("the caller does not panic");
        result
    }

    #[test]
    fn both_know_the_secret() {
        let result = talk(
            |mut stream| call(&mut stream, CALLED, "s").expect("the answer is right"),
            "s",
        );
        assert_eq!(result.expect("the call is right"), CALLED);
    }

    #[test]
    fn a_wrong_secret_is_refused_by_both() {
        let result = talk(
            |mut stream| {
                let error = call(&mut stream, CALLED, "wrong").expect_err("the secrets differ");
                assert!(error.to_string().contains("PATHWAY_CLUSTER_SECRET"), "{error}");
            },
            "right",
        );
        assert!(result.is_err());
    }

    #[test]
    fn who_does_not_verify_the_listener_is_refused_for_its_proof() {
        let result = talk(
            |mut stream| {
                stream.write_all(&CALLED.bytes([0; 32])).expect("written");
                stream.read_exact(&mut [0; ANSWER]).expect("answered");
                stream.write_all(&[7; 32]).expect("written");
            },
            "right",
        );
        assert_eq!(
            result.expect_err("the proof is wrong").kind(),
            io::ErrorKind::PermissionDenied
        );
    }

    #[test]
    fn strangers_are_refused() {
        for bytes in [
            &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
            b"",
            &[0; 1000],
            b"towpath\x02",
        ] {
            let result = talk(move |mut stream| drop(stream.write_all(bytes)), "s");
            assert!(result.is_err());
        }
    }
}
