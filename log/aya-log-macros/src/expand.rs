//! [`Statement`] → the code of the statement.

use aya_log_common::DisplayHint;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Result, spanned::Spanned};

use crate::parse::Statement;

/// The function of `aya_log_ebpf::__private::check` that passes on what a hint accepts.
fn check(hint: DisplayHint) -> &'static str {
    match hint {
        DisplayHint::Default => "default",
        DisplayHint::LowerHex => "lower_hex",
        DisplayHint::UpperHex => "upper_hex",
        DisplayHint::Ip => "ip",
        DisplayHint::LowerMac => "lower_mac",
        DisplayHint::UpperMac => "upper_mac",
        DisplayHint::Pointer => "pointer",
    }
}

pub(crate) fn expand(statement: Statement) -> Result<TokenStream> {
    let Statement {
        context,
        target,
        level,
        format,
        arguments,
        shown,
    } = statement;
    let target = match target {
        Some(target) => quote!(#target),
        None => quote!(""),
    };
    let count = arguments.len();
    let names: Vec<_> = (0..count)
        .map(|position| Ident::new(&format!("argument{position}"), Span::mixed_site()))
        .collect();
    let arguments = arguments.iter().enumerate().map(|(position, argument)| {
        let hints = shown.iter().filter(|(used, _)| *used == position);
        hints.fold(quote!(#argument), |argument_checked, &(_, hint)| {
            let check = Ident::new(check(hint), argument.span());
            quote_spanned!(argument.span()=>
                ::aya_log_ebpf::__private::check::#check(#argument_checked))
        })
    });
    let context_name = Ident::new("context", Span::mixed_site());
    let emit = if count == 0 {
        quote! {
            static __AYA_LOG_RECORD: &[::core::primitive::u8; __AYA_LOG.encoded_len()] =
                &__AYA_LOG_DESCRIPTOR;
            ::aya_log_ebpf::__private::emit_constant(#context_name, &__AYA_LOG_RECORD);
        }
    } else {
        quote! {
            ::aya_log_ebpf::__private::emit(
                #context_name,
                &__AYA_LOG_DESCRIPTOR,
                ::aya_log_ebpf::__private::Head::<#count>
                    #(.and(#names))*,
            );
        }
    };
    // Items first: they see none of the bindings, and the arguments none of the items' names.
    Ok(quote! {{
        const __AYA_LOG_LEVEL: ::aya_log_ebpf::Level = #level;
        if ::aya_log_ebpf::__private::enabled(__AYA_LOG_LEVEL) {
            match (#context, #(#arguments,)*) {
                (#context_name, #(#names,)*) => {
                    const __AYA_LOG: ::aya_log_ebpf::__private::Descriptor<'static> =
                        ::aya_log_ebpf::__private::Descriptor {
                            level: __AYA_LOG_LEVEL,
                            arguments: #count as ::core::primitive::u8,
                            line: ::core::line!(),
                            target: #target,
                            module: ::core::module_path!(),
                            file: ::core::file!(),
                            format: #format,
                        };
                    #[unsafe(link_section = ".aya.log")]
                    static __AYA_LOG_DESCRIPTOR:
                        [::core::primitive::u8; __AYA_LOG.encoded_len()] = __AYA_LOG.encode();
                    #emit
                }
            }
        }
    }})
}
