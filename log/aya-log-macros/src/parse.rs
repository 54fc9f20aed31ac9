//! `&ctx, [target: "…",] [level,] "format", arguments…` → [`Statement`].

use aya_log_common::{
    DisplayHint,
    format::{Parser, Piece, Selector},
    record::MAX_ARGUMENTS,
};
use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Error, Expr, LitStr, Result, Token, parse::ParseStream};

/// A log statement, its format string written with positions instead of names.
pub(crate) struct Statement {
    pub(crate) context: Expr,
    pub(crate) target: Option<Expr>,
    pub(crate) level: TokenStream,
    pub(crate) format: LitStr,
    pub(crate) arguments: Vec<Expr>,
    /// What each placeholder shows.
    pub(crate) shown: Vec<(usize, DisplayHint)>,
}

impl Statement {
    pub(crate) fn parse(level: Option<&str>, input: ParseStream<'_>) -> Result<Self> {
        if input.is_empty() {
            return Err(input.error("expected the program's context, such as `&ctx`"));
        }
        let mut target = parse_target(input)?;
        let context: Expr = input.parse()?;
        if matches!(&context, Expr::Lit(_)) {
            return Err(Error::new_spanned(
                context,
                "the program's context comes first: `info!(&ctx, \"…\")`",
            ));
        }
        input.parse::<Token![,]>()?;
        if target.is_none() {
            target = parse_target(input)?;
        }
        let level = match level {
            Some(level) => {
                let level = Ident::new(level, proc_macro2::Span::call_site());
                quote!(::aya_log_ebpf::Level::#level)
            }
            None => {
                let level: Expr = input.parse()?;
                input.parse::<Token![,]>()?;
                quote!(#level)
            }
        };
        let format: LitStr = input.parse()?;
        let mut arguments = Arguments::default();
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            arguments.parse(input)?;
        }
        let (format, shown) = arguments.resolve(&format)?;
        Ok(Self {
            context,
            target,
            level,
            format,
            arguments: arguments.expressions,
            shown,
        })
    }
}

fn parse_target(input: ParseStream<'_>) -> Result<Option<Expr>> {
    let named = input
        .fork()
        .parse::<Ident>()
        .is_ok_and(|name| name == "target");
    if !named || !input.peek2(Token![:]) || input.peek2(Token![::]) {
        return Ok(None);
    }
    input.parse::<Ident>()?;
    input.parse::<Token![:]>()?;
    let target = input.parse()?;
    input.parse::<Token![,]>()?;
    Ok(Some(target))
}

#[derive(Default)]
struct Arguments {
    expressions: Vec<Expr>,
    names: Vec<(String, usize)>,
}

impl Arguments {
    fn parse(&mut self, input: ParseStream<'_>) -> Result<()> {
        if input.peek(syn::Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]) {
            let name: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            self.names.push((name.to_string(), self.expressions.len()));
        } else if !self.names.is_empty() {
            return Err(input.error("an argument without a name cannot follow one with a name"));
        }
        self.expressions.push(input.parse()?);
        Ok(())
    }

    /// The position of the argument called `name`: one given with `name = …`, else a variable.
    fn named(&mut self, name: &str, format: &LitStr) -> Result<usize> {
        if let Some((_, position)) = self.names.iter().find(|(known, _)| known == name) {
            return Ok(*position);
        }
        let mut variable: Ident = syn::parse_str(name).map_err(|_| {
            Error::new_spanned(format, format!("`{name}` cannot be the name of a variable"))
        })?;
        variable.set_span(format.span());
        let position = self.expressions.len();
        self.expressions.push(syn::parse_quote!(#variable));
        self.names.push((name.to_owned(), position));
        Ok(position)
    }

    /// Matches placeholders and arguments; the format string that comes back knows no names.
    fn resolve(&mut self, format: &LitStr) -> Result<(LitStr, Vec<(usize, DisplayHint)>)> {
        let given = self.expressions.len();
        let text = format.value();
        let error = |message: String| Error::new_spanned(format, message);
        let mut shown = Vec::new();
        let mut normal = String::new();
        let (mut next, mut next_written) = (0, 0);
        for piece in Parser::new(&text) {
            match piece.map_err(|wrong| error(wrong.to_string()))? {
                Piece::Text(text) => {
                    normal += &text.replace('{', "{{").replace('}', "}}");
                }
                Piece::Placeholder(selector, hint) => {
                    let position = match selector {
                        Selector::Next => {
                            next += 1;
                            next - 1
                        }
                        Selector::Index(index) => index,
                        Selector::Name(name) => self.named(name, format)?,
                    };
                    normal.push('{');
                    if position == next_written {
                        next_written += 1;
                    } else {
                        normal += &position.to_string();
                    }
                    if hint != DisplayHint::Default {
                        normal.push(':');
                        normal += hint.spelling();
                    }
                    normal.push('}');
                    shown.push((position, hint));
                }
            }
        }
        let missing = shown
            .iter()
            .map(|&(position, _)| position + 1)
            .max()
            .unwrap_or(0);
        // Positions beyond what was given name nothing, even where captured variables follow.
        let positional = next.max(
            Parser::new(&text)
                .filter_map(|piece| match piece {
                    Ok(Piece::Placeholder(Selector::Index(index), _)) => Some(index + 1),
                    _ => None,
                })
                .max()
                .unwrap_or(0),
        );
        if positional > given || missing > self.expressions.len() {
            return Err(error(format!(
                "the format string needs {positional} argument{}, but {given} {} given",
                if positional == 1 { "" } else { "s" },
                if given == 1 { "was" } else { "were" },
            )));
        }
        for (position, expression) in self.expressions.iter().enumerate() {
            if !shown.iter().any(|&(used, _)| used == position) {
                return Err(Error::new_spanned(
                    expression,
                    "this argument is never used; add a placeholder such as `{}` to the format string",
                ));
            }
        }
        if self.expressions.len() > MAX_ARGUMENTS {
            return Err(error(format!(
                "a log statement can have at most {MAX_ARGUMENTS} arguments; split it"
            )));
        }
        Ok((LitStr::new(&normal, format.span()), shown))
    }
}
