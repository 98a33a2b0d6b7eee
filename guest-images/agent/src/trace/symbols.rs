//! Names of functions by their address.

/// The functions of the kernel and its modules, sorted by address.
pub struct Symbols(Vec<(u64, String)>);

impl Symbols {
    /// Parses `/proc/kallsyms`: an address, a type and a name a line, and the module if
    /// it is of one. Only code counts, whose type is `t` or `w`.
    pub fn parse(text: &str) -> Self {
        let mut all: Vec<_> = text.lines().filter_map(symbol).collect();
        all.sort_unstable();
        Self(all)
    }

    /// The function that the address is in, without what a compiler appended to its name
    /// (`.isra.0`, `.part.0`, `.cold`).
    pub fn name(&self, address: u64) -> Option<&str> {
        let after = self.0.partition_point(|(start, _)| *start <= address);
        let (_, name) = self.0.get(after.checked_sub(1)?)?;
        name.split('.').next().filter(|name| !name.is_empty())
    }
}

fn symbol(line: &str) -> Option<(u64, String)> {
    let mut words = line.split_ascii_whitespace();
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    let kind = words.next()?;
    let is_code = matches!(kind, "t" | "T" | "w" | "W");
    // Without the right to see addresses all are 0.
    (is_code && address != 0).then(|| Some((address, words.next()?.to_owned())))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const TEXT: &str = "0000000000001000 T bio_advance\n0000000000001100 d some_data\n\
                        0000000000001200 t dm_io.isra.0\t[dm_mod]\ngarbage\n\
                        0000000000000000 t hidden\n";

    #[rstest]
    #[case::entry(0x1000, Some("bio_advance"))]
    #[case::within(0x1004, Some("bio_advance"))]
    #[case::data_is_no_function(0x1100, Some("bio_advance"))]
    #[case::of_a_module(0x1204, Some("dm_io"))]
    #[case::before_all(0xfff, None)]
    fn an_address_has_a_name(#[case] address: u64, #[case] name: Option<&str>) {
        assert_eq!(Symbols::parse(TEXT).name(address), name);
    }

    #[test]
    fn hidden_addresses_give_no_names() {
        assert_eq!(Symbols::parse("0 t a\n0 T b\n").name(0xffff), None);
    }
}
