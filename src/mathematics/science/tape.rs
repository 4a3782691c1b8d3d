//! Something under way as bytes, and taken up again from them.
//!
//! What has to be kept is walked by one function, whether it is written or read: both directions cannot drift apart. Every
//! entry carries its name and its length, and numbers are kept by their bits. So what was written of another network, or by
//! a version that walked other things, is refused; and what is taken up goes on as if nothing had been between.

use super::seed::Stream;
use crate::kernels::{Lanes, as_flat_mut};

/// Bytes were not written of what they are read into.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Foreign(String);

impl Foreign {
    /// `message` says what is where something else was expected.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// What is walked along: written to its end, or read from its beginning.
#[derive(Debug)]
pub struct Tape<'a>(Way<'a>);

#[derive(Debug)]
enum Way<'a> {
    Writing(Vec<u8>),
    Reading(&'a [u8]),
}

impl<'a> Tape<'a> {
    /// What `walk` puts down.
    ///
    /// # Panics
    /// If `walk` fails: while it is written, nothing can be foreign.
    pub fn written(walk: impl FnOnce(&mut Self) -> Result<(), Foreign>) -> Vec<u8> {
        let mut tape = Self(Way::Writing(Vec::new()));
        walk(&mut tape).expect("what is written is not compared with anything");
        match tape.0 {
            Way::Writing(bytes) => bytes,
            Way::Reading(_) => unreachable!("it was made for writing"),
        }
    }

    /// Lets `walk` take up what was put down. After an error, some of it may have been.
    ///
    /// # Errors
    /// The bytes end too early or too late, or are those of something else.
    pub fn read(bytes: &'a [u8], walk: impl FnOnce(&mut Self) -> Result<(), Foreign>) -> Result<(), Foreign> {
        let mut tape = Self(Way::Reading(bytes));
        walk(&mut tape)?;
        match tape.0 {
            Way::Reading([]) => Ok(()),
            _ => Err(Foreign::new("more was kept than is read")),
        }
    }

    /// Whether something is taken up.
    pub fn is_reading(&self) -> bool {
        matches!(self.0, Way::Reading(_))
    }

    fn raw(&mut self, bytes: &mut [u8]) -> Result<(), Foreign> {
        match &mut self.0 {
            Way::Writing(written) => written.extend_from_slice(bytes),
            Way::Reading(left) => {
                let (next, rest) =
                    left.split_at_checked(bytes.len()).ok_or_else(|| Foreign::new("it ends too early"))?;
                bytes.copy_from_slice(next);
                *left = rest;
            }
        }
        Ok(())
    }

    /// The name of an entry, and how many numbers or parts it has: written as it is, or compared.
    fn entry(&mut self, name: &str, length: usize) -> Result<(), Foreign> {
        let found = self.heading(name, length)?;
        if found == length { Ok(()) } else { Err(Foreign::new(format!("`{name}` is {found} long, not {length}"))) }
    }

    /// As [`Tape::entry`], with any length, which is returned.
    fn heading(&mut self, name: &str, length: usize) -> Result<usize, Foreign> {
        let mut known = [0; 16];
        let n = name.len().min(known.len());
        known[..n].copy_from_slice(&name.as_bytes()[..n]);
        let mut found = known;
        self.raw(&mut found)?;
        if found != known {
            let found = String::from_utf8_lossy(&found).trim_end_matches('\0').escape_debug().to_string();
            return Err(Foreign::new(format!("`{found}` where `{name}` was expected")));
        }
        let mut bytes = (length as u64).to_le_bytes();
        self.raw(&mut bytes)?;
        usize::try_from(u64::from_le_bytes(bytes)).map_err(|_| Foreign::new(format!("`{name}` has no such length")))
    }

    /// A count.
    ///
    /// # Errors
    /// Something else was kept here.
    pub fn count(&mut self, name: &str, count: &mut u64) -> Result<(), Foreign> {
        self.each(name, std::slice::from_mut(count), u64::to_le_bytes, u64::from_le_bytes)
    }

    /// A count that is not large.
    ///
    /// # Errors
    /// Something else was kept here, or a larger one.
    pub fn small_count(&mut self, name: &str, count: &mut u32) -> Result<(), Foreign> {
        let mut larger = u64::from(*count);
        self.count(name, &mut larger)?;
        *count = u32::try_from(larger).map_err(|_| Foreign::new(format!("`{name}` is {larger}, which is too many")))?;
        Ok(())
    }

    /// How many there are of something.
    ///
    /// # Errors
    /// Something else was kept here, or more than this machine can count.
    pub fn size(&mut self, name: &str, size: &mut usize) -> Result<(), Foreign> {
        let mut count = *size as u64;
        self.count(name, &mut count)?;
        *size = usize::try_from(count).map_err(|_| Foreign::new(format!("`{name}` is {count}, which is too many")))?;
        Ok(())
    }

    /// A number in double precision.
    ///
    /// # Errors
    /// Something else was kept here.
    pub fn number(&mut self, name: &str, number: &mut f64) -> Result<(), Foreign> {
        self.numbers(name, std::slice::from_mut(number))
    }

    /// Numbers in double precision; as many as there were.
    ///
    /// # Errors
    /// Something else was kept here, or another number of them.
    pub fn numbers(&mut self, name: &str, numbers: &mut [f64]) -> Result<(), Foreign> {
        self.each(name, numbers, f64::to_le_bytes, f64::from_le_bytes)
    }

    /// Numbers in single precision; as many as there were.
    ///
    /// # Errors
    /// As [`Tape::numbers`].
    pub fn singles(&mut self, name: &str, numbers: &mut [f32]) -> Result<(), Foreign> {
        self.each(name, numbers, f32::to_le_bytes, f32::from_le_bytes)
    }

    /// Numbers without a sign; as many as there were.
    pub(crate) fn bits(&mut self, name: &str, numbers: &mut [u32]) -> Result<(), Foreign> {
        self.each(name, numbers, u32::to_le_bytes, u32::from_le_bytes)
    }

    fn each<T: Copy, const N: usize>(
        &mut self,
        name: &str,
        values: &mut [T],
        to_bytes: fn(T) -> [u8; N],
        from_bytes: fn([u8; N]) -> T,
    ) -> Result<(), Foreign> {
        self.entry(name, values.len())?;
        for value in values {
            let mut bytes = to_bytes(*value);
            self.raw(&mut bytes)?;
            *value = from_bytes(bytes);
        }
        Ok(())
    }

    /// A padded vector, or rows of them.
    pub(crate) fn lanes(&mut self, name: &str, lanes: &mut [Lanes]) -> Result<(), Foreign> {
        self.singles(name, as_flat_mut(lanes))
    }

    /// Text.
    ///
    /// # Errors
    /// Something else was kept here.
    pub fn text(&mut self, name: &str, text: &mut String) -> Result<(), Foreign> {
        let mut bytes: Vec<u8> = std::mem::take(text).into_bytes();
        self.list(name, &mut bytes, usize::MAX, |tape, byte| tape.raw(std::slice::from_mut(byte)))?;
        *text = String::from_utf8(bytes).map_err(|_| Foreign::new(format!("`{name}` is no text")))?;
        Ok(())
    }

    /// Any number of things, at most so many.
    ///
    /// # Errors
    /// Something else was kept here, or more, or `each` says so.
    pub fn list<T: Default>(
        &mut self,
        name: &str,
        list: &mut Vec<T>,
        most: usize,
        mut each: impl FnMut(&mut Self, &mut T) -> Result<(), Foreign>,
    ) -> Result<(), Foreign> {
        let length = self.heading(name, list.len())?;
        if self.is_reading() && length > most {
            return Err(Foreign::new(format!("`{name}` is {length} long, and at most {most} is possible")));
        }
        if self.is_reading() {
            // One after the other: a length that is made up makes no room.
            list.clear();
            for _ in 0..length {
                let mut one = T::default();
                each(self, &mut one)?;
                list.push(one);
            }
            return Ok(());
        }
        list.iter_mut().try_for_each(|one| each(self, one))
    }

    /// Something that need not be there.
    ///
    /// # Errors
    /// Something else was kept here, or `each` says so.
    pub fn option<T: Default>(
        &mut self,
        name: &str,
        option: &mut Option<T>,
        each: impl FnMut(&mut Self, &mut T) -> Result<(), Foreign>,
    ) -> Result<(), Foreign> {
        let mut list: Vec<T> = option.take().into_iter().collect();
        self.list(name, &mut list, 1, each)?;
        *option = list.pop();
        Ok(())
    }

    /// Where a stream of random numbers is. It is the one of its seed, so no number is drawn again to come there.
    pub(crate) fn stream(&mut self, name: &str, stream: &mut Stream) -> Result<(), Foreign> {
        self.entry(name, 1)?;
        let mut bytes = stream.place().to_le_bytes();
        self.raw(&mut bytes)?;
        if self.is_reading() {
            stream.go_to(u128::from_le_bytes(bytes));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::science::seed::{Purpose, stream};

    #[derive(Clone, Debug, Default, PartialEq)]
    struct Thing {
        steps: u64,
        weights: [f32; 3],
        sums: Vec<f64>,
        name: String,
        missing: Option<u64>,
    }

    impl Thing {
        fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
            tape.count("steps", &mut self.steps)?;
            tape.singles("weights", &mut self.weights)?;
            tape.list("sums", &mut self.sums, 4, |tape, x| tape.number("sum", x))?;
            tape.text("name", &mut self.name)?;
            tape.option("missing", &mut self.missing, |tape, n| tape.count("n", n))
        }
    }

    #[test]
    fn what_is_put_down_is_taken_up_by_its_bits_and_what_is_cut_or_foreign_is_refused() {
        let mut thing = Thing {
            steps: 7,
            weights: [1.5, -0.0, f32::MIN_POSITIVE / 4.0],
            sums: vec![0.1, f64::INFINITY],
            name: "θ".to_owned(),
            missing: Some(3),
        };
        let bytes = Tape::written(|tape| thing.keep(tape));
        let mut other = Thing::default();
        Tape::read(&bytes, |tape| other.keep(tape)).unwrap();
        assert_eq!(other, thing);
        assert!(other.weights[1].is_sign_negative());
        for end in 0..bytes.len() {
            assert!(Tape::read(&bytes[..end], |tape| Thing::default().keep(tape)).is_err(), "{end}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(Tape::read(&longer, |tape| Thing::default().keep(tape)).is_err());
        let fewer = |tape: &mut Tape<'_>| tape.singles("steps", &mut [0.0; 2]);
        assert_eq!(Tape::read(&bytes, fewer).unwrap_err().to_string(), "`steps` is 1 long, not 2");
        let renamed = |tape: &mut Tape<'_>| tape.count("samples", &mut 0);
        assert_eq!(Tape::read(&bytes, renamed).unwrap_err().to_string(), "`steps` where `samples` was expected");
        thing.sums = vec![0.0; 5];
        let bytes = Tape::written(|tape| thing.keep(tape));
        assert!(Tape::read(&bytes, |tape| Thing::default().keep(tape)).unwrap_err().to_string().contains("at most 4"));
    }

    #[test]
    fn a_stream_goes_on_where_it_was() {
        for n_words in [0_usize, 1, 2, 15, 16, 17, 63, 64, 65, 200] {
            let mut known = stream(3, Purpose::Noise, 1);
            (0..n_words).for_each(|_| _ = known.below(1 << 31));
            let bytes = Tape::written(|tape| tape.stream("noise", &mut known));
            let mut found = stream(3, Purpose::Noise, 1);
            Tape::read(&bytes, |tape| tape.stream("noise", &mut found)).unwrap();
            let draw = |stream: &mut Stream| [stream.normal(), stream.uniform_f64(), f64::from(stream.below(1 << 31))];
            for _ in 0..70 {
                assert_eq!(draw(&mut found), draw(&mut known), "after {n_words} words");
            }
        }
    }
}
