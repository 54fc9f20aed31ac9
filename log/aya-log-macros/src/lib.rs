//! The log macros of aya-log-ebpf, which re-exports and documents them.
//!
//! `parse` reads what stands between the parentheses, `expand` writes the statement.
#![forbid(unsafe_code)]

mod expand;
mod parse;

use proc_macro::TokenStream;

fn statement(level: Option<&str>, tokens: TokenStream) -> TokenStream {
    let parser = |input: syn::parse::ParseStream<'_>| parse::Statement::parse(level, input);
    syn::parse::Parser::parse(parser, tokens)
        .and_then(expand::expand)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

macro_rules! levels {
    ($($name:ident $level:literal $what:literal;)*) => {$(
        #[doc = concat!("Logs ", $what, ".")]
        ///
        #[doc = concat!("`", stringify!($name), "!(&ctx, [target: \"…\",] \"format {} {:x}\", arguments…)`:")]
        /// see the documentation of aya-log-ebpf.
        #[proc_macro]
        pub fn $name(tokens: TokenStream) -> TokenStream {
            statement(Some($level), tokens)
        }
    )*};
}

levels! {
    error "Error" "a serious error";
    warn "Warn" "something suspicious";
    info "Info" "something useful to know";
    debug "Debug" "details for someone looking for a fault";
    trace "Trace" "everything else";
}

/// Logs at a level that is a constant expression.
///
/// `log!(&ctx, [target: "…",] Level::Info, "format {} {:x}", arguments…)`: see the documentation of
/// aya-log-ebpf.
#[proc_macro]
pub fn log(tokens: TokenStream) -> TokenStream {
    statement(None, tokens)
}
