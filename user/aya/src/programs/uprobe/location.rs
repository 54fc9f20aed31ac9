//! Where in a file a user probe goes.

use std::{error::Error, fmt};

/// A place in a file.
///
/// A name stands for its function, a number for an offset in the file:
///
/// ```
/// use aya::programs::uprobe::UProbeAttachLocation;
/// assert_eq!(UProbeAttachLocation::from("main"), UProbeAttachLocation::Symbol("main"));
/// assert_eq!(UProbeAttachLocation::from(0x1234), UProbeAttachLocation::AbsoluteOffset(0x1234));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UProbeAttachLocation<'a> {
    /// The beginning of a function.
    ///
    /// Functions of which a library has variants for several CPUs (`memcpy` of glibc) are called
    /// through the variant, not through this place.
    Symbol(&'a str),
    /// So many bytes behind the beginning of a function, where an instruction must begin.
    SymbolOffset(&'a str, u64),
    /// So many bytes behind the beginning of the file, where an instruction must begin.
    AbsoluteOffset(u64),
}

impl UProbeAttachLocation<'static> {
    /// The place of an instruction of which the address is known, from the address of its section and
    /// that section's offset in the file, as `readelf -S` shows them.
    ///
    /// ```
    /// use aya::programs::uprobe::UProbeAttachLocation;
    /// // .text at address 0x2040, offset 0x1040
    /// let location = UProbeAttachLocation::from_virtual_address(0x2100, 0x2040, 0x1040)?;
    /// assert_eq!(location, UProbeAttachLocation::AbsoluteOffset(0x1100));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the address is before the section, or the offset has more than 64 bits.
    pub fn from_virtual_address(
        instruction_address: u64,
        section_address: u64,
        section_offset: u64,
    ) -> Result<Self, UProbeAttachLocationError> {
        let behind = instruction_address.checked_sub(section_address).ok_or(
            UProbeAttachLocationError::AddressNotInSection {
                instruction_address,
                section_address,
            },
        )?;
        let offset = section_offset.checked_add(behind);
        offset
            .map(Self::AbsoluteOffset)
            .ok_or(UProbeAttachLocationError::FileOffsetOverflow {
                instruction_address,
                section_address,
                section_offset,
            })
    }
}

impl<'a> UProbeAttachLocation<'a> {
    pub(super) const fn symbol(&self) -> Option<&'a str> {
        match self {
            Self::Symbol(symbol) | Self::SymbolOffset(symbol, _) => Some(symbol),
            Self::AbsoluteOffset(_) => None,
        }
    }
}

impl fmt::Display for UProbeAttachLocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symbol(symbol) => write!(f, "`{symbol}`"),
            Self::SymbolOffset(symbol, offset) => write!(f, "`{symbol}+{offset}`"),
            Self::AbsoluteOffset(offset) => write!(f, "offset {offset:#x}"),
        }
    }
}

impl<'a> From<&'a str> for UProbeAttachLocation<'a> {
    fn from(symbol: &'a str) -> Self {
        Self::Symbol(symbol)
    }
}

impl From<u64> for UProbeAttachLocation<'static> {
    fn from(offset: u64) -> Self {
        Self::AbsoluteOffset(offset)
    }
}

/// A place, and what tells it from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UProbeAttachPoint<'a> {
    /// The place.
    pub location: UProbeAttachLocation<'a>,
    /// What `bpf_get_attach_cookie` gives the program here; 0 without one. Since kernel 5.15.
    pub cookie: Option<u64>,
}

impl<'a, L: Into<UProbeAttachLocation<'a>>> From<L> for UProbeAttachPoint<'a> {
    fn from(location: L) -> Self {
        Self {
            location: location.into(),
            cookie: None,
        }
    }
}

/// Why addresses give no place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UProbeAttachLocationError {
    /// The instruction's address is before its section.
    AddressNotInSection {
        /// The instruction's address.
        instruction_address: u64,
        /// The section's address.
        section_address: u64,
    },
    /// The offset has more than 64 bits.
    FileOffsetOverflow {
        /// The instruction's address.
        instruction_address: u64,
        /// The section's address.
        section_address: u64,
        /// The section's offset in the file.
        section_offset: u64,
    },
}

impl fmt::Display for UProbeAttachLocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressNotInSection {
                instruction_address,
                section_address,
            } => write!(
                f,
                "instruction at {instruction_address:#x}: its section cannot begin behind it, at \
                 {section_address:#x}: take the section that holds it"
            ),
            Self::FileOffsetOverflow {
                instruction_address,
                section_address,
                section_offset,
            } => write!(
                f,
                "instruction at {instruction_address:#x}: no file reaches as far: check its \
                 section's address {section_address:#x} and offset {section_offset:#x}"
            ),
        }
    }
}

impl Error for UProbeAttachLocationError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_outside_are_refused() {
        let from = UProbeAttachLocation::from_virtual_address;
        assert!(matches!(
            from(0x10, 0x20, 0),
            Err(UProbeAttachLocationError::AddressNotInSection { .. })
        ));
        assert!(matches!(
            from(u64::MAX, 0, 1),
            Err(UProbeAttachLocationError::FileOffsetOverflow { .. })
        ));
    }
}
