//! Command-line arguments: `--name value`, `--name=value`, `--flag`, words, and what follows `--`.

use std::str::FromStr;

use crate::error::{Error, Result};

/// The arguments of one command. Each `take_*` removes what it returns; [`Args::finish`] refuses the rest.
#[derive(Debug)]
pub(crate) struct Args {
    words: Vec<String>,
    /// What stood after `--`, if there was one.
    after: Option<Vec<String>>,
}

impl Args {
    pub(crate) fn new(words: impl IntoIterator<Item = String>) -> Self {
        let mut words: Vec<String> = words.into_iter().collect();
        let after = words.iter().position(|word| word == "--").map(|at| {
            let after = words.split_off(at + 1);
            words.truncate(at);
            after
        });
        Self { words, after }
    }

    /// True if `name` was given.
    pub(crate) fn take_flag(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        self.words.len() != before
    }

    /// The value of `--name value` or `--name=value`.
    pub(crate) fn take_value<T: FromStr>(&mut self, name: &str) -> Result<Option<T>> {
        let prefix = format!("{name}=");
        let Some(at) = self
            .words
            .iter()
            .position(|word| word == name || word.starts_with(&prefix))
        else {
            return Ok(None);
        };
        let word = self.words.remove(at);
        let value = match word.strip_prefix(&prefix) {
            Some(value) => value.to_owned(),
            None if at < self.words.len() => self.words.remove(at),
            None => return Err(Error::new(format!("`{name}` needs a value"))),
        };
        match value.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(Error::new(format!("`{name}` cannot be `{value}`"))),
        }
    }

    /// The next word that is not an option.
    pub(crate) fn take_word(&mut self) -> Option<String> {
        let at = self.words.iter().position(|word| !word.starts_with('-'))?;
        Some(self.words.remove(at))
    }

    /// What stood after `--`.
    pub(crate) fn take_after(&mut self) -> Vec<String> {
        self.after.take().unwrap_or_default()
    }

    /// Refuses arguments that nobody took.
    pub(crate) fn finish(self) -> Result<()> {
        match self
            .words
            .into_iter()
            .chain(self.after.unwrap_or_default())
            .next()
        {
            None => Ok(()),
            Some(word) => Err(Error::new(format!(
                "`{word}` is not understood; see `cargo xtask help`"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args::new(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn takes_each_form() {
        let mut args = args("--kernel 5.10 --host name --mode=donor -- a --b");
        assert_eq!(
            args.take_value::<String>("--kernel").unwrap().as_deref(),
            Some("5.10")
        );
        assert_eq!(
            args.take_value::<String>("--mode").unwrap().as_deref(),
            Some("donor")
        );
        assert!(args.take_flag("--host"));
        assert!(!args.take_flag("--host"));
        assert_eq!(args.take_word().as_deref(), Some("name"));
        assert_eq!(args.take_after(), ["a", "--b"]);
        args.finish().unwrap();
    }

    #[test]
    fn refuses_what_nobody_took() {
        assert!(args("--hots").finish().is_err());
        assert!(args("-- left").finish().is_err());
        assert!(args("--seconds").take_value::<u64>("--seconds").is_err());
        assert!(
            args("--seconds ten")
                .take_value::<u64>("--seconds")
                .is_err()
        );
    }
}
