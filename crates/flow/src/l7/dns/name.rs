//! Domain names on the wire (RFC 1035, 3.1 and 4.1.4): a place in a message in, text out.
//!
//! Pointers are followed backwards only, so none is followed twice. Names of more than 255 bytes are refused.

/// The longest name on the wire, in bytes.
const MAX_NAME_BYTES: usize = 255;

/// A name that is known to be well-formed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name<'a> {
    message: &'a [u8],
    at: usize,
    wire_bytes: usize,
}

impl<'a> Name<'a> {
    /// The name at `at` in `message`, and where the bytes behind it start. `None` = it is not whole, or no name.
    pub(super) fn read(message: &'a [u8], at: usize) -> Option<(Self, usize)> {
        let (mut wire_bytes, mut behind) = (1, None);
        let mut labels = Labels { message, at, floor: at };
        loop {
            match labels.step()? {
                Step::Label(label) => {
                    wire_bytes += label.len() + 1;
                    if wire_bytes > MAX_NAME_BYTES {
                        return None;
                    }
                }
                Step::Jump { behind: first } => behind = behind.or(Some(first)),
                Step::Root => break,
            }
        }
        Some((Self { message, at, wire_bytes }, behind.unwrap_or(labels.at)))
    }

    /// The name in lower case without the last point; the root is `.`. What does not print is escaped as C does it.
    pub(super) fn text(self) -> Box<str> {
        let mut text = String::with_capacity(self.wire_bytes.saturating_sub(2).max(1));
        for label in self.labels() {
            if !text.is_empty() {
                text.push('.');
            }
            if label.iter().all(|byte| matches!(byte, b' '..=b'~')) {
                text.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
            } else {
                String::from_utf8_lossy(label).chars().for_each(|symbol| escape(symbol, &mut text));
            }
        }
        if text.is_empty() {
            text.push('.');
        }
        text.into()
    }

    /// Whether the same name stands at `at` in `message`, in whatever case.
    pub(super) fn is_at(self, message: &[u8], at: usize) -> bool {
        let Some((other, _)) = Name::read(message, at) else { return false };
        let (mut own, mut others) = (self.labels(), other.labels());
        loop {
            match (own.next(), others.next()) {
                (Some(own), Some(other)) if own.eq_ignore_ascii_case(other) => {}
                (None, None) => return true,
                _ => return false,
            }
        }
    }

    /// Whether every label is of printing ASCII without spaces, as names of hosts and services are.
    pub(super) fn is_plain(self) -> bool {
        self.labels().all(|label| label.iter().all(u8::is_ascii_graphic))
    }

    fn labels(self) -> impl Iterator<Item = &'a [u8]> {
        let mut labels = Labels { message: self.message, at: self.at, floor: self.at };
        std::iter::from_fn(move || {
            loop {
                match labels.step()? {
                    Step::Label(label) => return Some(label),
                    Step::Jump { .. } => {}
                    Step::Root => return None,
                }
            }
        })
    }
}

/// Where the bytes behind the name at `at` start, whatever its pointer says. `None` = it is not whole, or no name.
pub(super) fn skip(message: &[u8], at: usize) -> Option<usize> {
    let mut labels = Labels { message, at, floor: at };
    while labels.at.saturating_sub(at) <= MAX_NAME_BYTES {
        match message.get(labels.at)? {
            192..=255 => return Some(labels.at + 2).filter(|behind| *behind <= message.len()),
            _ => match labels.step()? {
                Step::Root => return Some(labels.at),
                Step::Label(_) | Step::Jump { .. } => {}
            },
        }
    }
    None
}

/// A walk along the labels of a name.
struct Labels<'a> {
    message: &'a [u8],
    at: usize,
    /// Pointers lead before this place only.
    floor: usize,
}

enum Step<'a> {
    Label(&'a [u8]),
    Jump { behind: usize },
    Root,
}

impl<'a> Labels<'a> {
    fn step(&mut self) -> Option<Step<'a>> {
        let message = self.message;
        let length = *message.get(self.at)?;
        match length {
            0 => {
                self.at += 1;
                Some(Step::Root)
            }
            1..=63 => {
                let start = self.at + 1;
                self.at = start + usize::from(length);
                Some(Step::Label(message.get(start..self.at)?))
            }
            192..=255 => {
                let target = usize::from(length & 0x3f) << 8 | usize::from(*message.get(self.at + 1)?);
                let behind = self.at + 2;
                if target >= self.floor {
                    return None;
                }
                (self.at, self.floor) = (target, target);
                Some(Step::Jump { behind })
            }
            _ => None,
        }
    }
}

fn escape(symbol: char, text: &mut String) {
    match symbol {
        '\u{7}' => text.push_str("\\a"),
        '\u{8}' => text.push_str("\\b"),
        '\t' => text.push_str("\\t"),
        '\n' => text.push_str("\\n"),
        '\u{b}' => text.push_str("\\v"),
        '\u{c}' => text.push_str("\\f"),
        '\r' => text.push_str("\\r"),
        '\0'..=' ' | '\u{7f}' if symbol != ' ' => {
            let code = symbol as u8;
            text.push('\\');
            text.extend([code >> 6, code >> 3 & 7, code & 7].map(|digit| char::from(b'0' + digit)));
        }
        _ if symbol.is_control() => text.push(char::REPLACEMENT_CHARACTER),
        _ => text.extend(symbol.to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(wire: &[u8], at: usize) -> Option<String> {
        Name::read(wire, at).map(|(name, _)| name.text().into())
    }

    #[test]
    fn names_are_lower_case_without_the_last_point() {
        assert_eq!(text(b"\x03WwW\x07eXample\x00", 0).as_deref(), Some("www.example"));
        assert_eq!(text(b"\x00", 0).as_deref(), Some("."));
    }

    #[test]
    fn pointers_lead_backwards() {
        let wire = b"\x03com\x00\x01a\xc0\x00\x01b\xc0\x05";
        assert_eq!(text(wire, 9).as_deref(), Some("b.a.com"));
        let (_, behind) = Name::read(wire, 9).expect("a name");
        assert_eq!((behind, skip(wire, 9)), (13, Some(13)));
    }

    #[test]
    fn loops_forward_pointers_and_reserved_labels_are_refused() {
        for wire in
            [&b"\xc0\x00"[..], b"\x01a\xc0\x00", b"\xc0\x02\x00", b"\x40\x00", b"\x80\x00", b"\x03ab", b"\xc0", b""]
        {
            assert_eq!(text(wire, 0), None, "{wire:?}");
        }
        assert_eq!(text(b"\xc0\x02\xc0\x00", 2), None);
    }

    #[test]
    fn names_of_more_than_255_bytes_are_refused() {
        let label = [&[62][..], &[b'a'; 62]].concat();
        let fits = [&label.repeat(4)[..], &[1, b'b', 0]].concat();
        assert_eq!(text(&fits, 0).map(|name| name.len()), Some(253));
        let long = [&label.repeat(4)[..], &[2, b'b', b'b', 0]].concat();
        assert_eq!(text(&long, 0), None);
    }

    #[test]
    fn what_does_not_print_is_escaped() {
        assert_eq!(text(b"\x04x\x01\n\x7f\x03c d\x00", 0).as_deref(), Some("x\\001\\n\\177.c d"));
        assert_eq!(text(b"\x03\xc3\x89\xff\x00", 0).as_deref(), Some("é\u{fffd}"));
    }
}
