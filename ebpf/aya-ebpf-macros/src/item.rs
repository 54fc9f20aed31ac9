//! Reading what an attribute stands on: just enough of a function's or a static's signature to
//! generate code around it. The item itself is passed on token by token.

use proc_macro2::TokenStream;
use syn::{
    Attribute, Ident, Result, Token, Type, Visibility, parenthesized,
    parse::{Parse, ParseStream},
    token,
};

/// A program's function: `unsafe? fn NAME(PATTERN: CONTEXT) -> OUTPUT { … }`, or without `-> OUTPUT`.
pub(crate) struct ProgramFn {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) unsafety: Option<Token![unsafe]>,
    pub(crate) name: Ident,
    pub(crate) context: Type,
    pub(crate) output: Option<Type>,
}

impl Parse for ProgramFn {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        let unsafety = input.parse()?;
        if !input.peek(Token![fn]) {
            return Err(input.error("an eBPF program is a function: `fn name(ctx: …Context) -> …`"));
        }
        input.parse::<Token![fn]>()?;
        let name: Ident = input.parse()?;
        if input.peek(Token![<]) {
            return Err(input.error("an eBPF program cannot be generic: the kernel calls it"));
        }
        let arguments;
        let parentheses = parenthesized!(arguments in input);
        if arguments.is_empty() {
            return Err(syn::Error::new(
                parentheses.span.join(),
                "an eBPF program takes its context: `ctx: …Context`",
            ));
        }
        arguments.parse::<Option<Token![mut]>>()?;
        if arguments.parse::<Option<Token![_]>>()?.is_none() {
            arguments.parse::<Ident>()?;
        }
        arguments.parse::<Token![:]>()?;
        let context = arguments.parse()?;
        arguments.parse::<Option<Token![,]>>()?;
        if !arguments.is_empty() {
            return Err(arguments.error("an eBPF program takes one argument, its context"));
        }
        let output = match input.parse::<Option<Token![->]>>()? {
            Some(_) => Some(input.parse()?),
            None => None,
        };
        if !input.peek(token::Brace) {
            return Err(input.error("expected the program's body"));
        }
        input.parse::<TokenStream>()?;
        Ok(Self {
            attrs,
            unsafety,
            name,
            context,
            output,
        })
    }
}

/// A map's variable: `static mut? NAME: TYPE = …;`.
pub(crate) struct MapStatic {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
}

impl Parse for MapStatic {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        if !input.peek(Token![static]) {
            return Err(
                input.error("an eBPF map is a static: `static NAME: HashMap<u32, u64> = …;`")
            );
        }
        input.parse::<Token![static]>()?;
        input.parse::<Option<Token![mut]>>()?;
        let name = input.parse()?;
        input.parse::<Token![:]>()?;
        let ty = input.parse()?;
        input.parse::<TokenStream>()?;
        Ok(Self { name, ty })
    }
}
