//! The words between an attribute's parentheses: `frags, map = "cpumap", name = "filter"`.

use syn::{
    Ident, LitStr, Result, Token,
    parse::{Parse, ParseStream},
};

/// One word, with or without a value.
struct Arg {
    key: Ident,
    value: Option<LitStr>,
}

/// The words not yet taken. What nobody takes is an error, so that a typing mistake is one.
pub(crate) struct Args(Vec<Arg>);

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut args = Vec::new();
        while !input.is_empty() {
            let key = input.parse()?;
            let value = match input.parse::<Option<Token![=]>>()? {
                Some(_) => Some(input.parse()?),
                None => None,
            };
            args.push(Arg { key, value });
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(Self(args))
    }
}

impl Args {
    fn take(&mut self, key: &str) -> Option<Arg> {
        let index = self.0.iter().position(|arg| arg.key == key)?;
        Some(self.0.remove(index))
    }

    /// Takes `key`, which has no value.
    pub(crate) fn flag(&mut self, key: &str) -> Result<bool> {
        match self.take(key) {
            Some(Arg {
                value: Some(value), ..
            }) => Err(syn::Error::new(
                value.span(),
                format!("`{key}` takes no value"),
            )),
            arg => Ok(arg.is_some()),
        }
    }

    /// Takes `key = "value"`.
    pub(crate) fn value(&mut self, key: &str) -> Result<Option<LitStr>> {
        match self.take(key) {
            Some(Arg {
                key: ident,
                value: None,
            }) => Err(syn::Error::new(
                ident.span(),
                format!("`{key}` needs a value: `{key} = \"…\"`"),
            )),
            arg => Ok(arg.and_then(|arg| arg.value)),
        }
    }

    /// Takes `name = "…"`, the name the kernel and user space see.
    pub(crate) fn name(&mut self) -> Result<Option<Ident>> {
        self.value("name")?
            .map(|name| {
                name.parse().map_err(|_| {
                    syn::Error::new(
                        name.span(),
                        "a name is letters, digits and `_`, and does not begin with a digit",
                    )
                })
            })
            .transpose()
    }

    /// Refuses what was not taken; `known` says what could have been.
    pub(crate) fn finish(self, known: &str) -> Result<()> {
        match self.0.first() {
            Some(arg) => Err(syn::Error::new(
                arg.key.span(),
                format!("unknown argument `{}`; known: {known}", arg.key),
            )),
            None => Ok(()),
        }
    }
}
