//! The address of the Debian archive. None is built in: the host's own apt has one, or
//! the user gives one.

use super::ArchiveError;
use super::apt::Apt;
use std::env;
use std::path::Path;

/// The keys that sign every suite in the catalogue.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The code names of Debian's suites. They tell Debian's entries in the sources from
/// those of derived distributions, which have other code names.
const CODE_NAMES: [&str; 12] = [
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "experimental",
];

/// The addresses of the archive and of its security updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirrors {
    main: String,
    security: Option<String>,
}

impl Mirrors {
    /// `HALFWAY_DEBIAN_MIRROR` (and `HALFWAY_DEBIAN_SECURITY_MIRROR`), or else the
    /// addresses in the host's apt configuration.
    pub(super) fn of_host(apt: &Apt) -> Result<Self, ArchiveError> {
        let var = |name| env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(main) = var("HALFWAY_DEBIAN_MIRROR") {
            let security = var("HALFWAY_DEBIAN_SECURITY_MIRROR");
            return Ok(Mirrors { main, security });
        }
        Self::parse(&apt.host_uris()?).ok_or(ArchiveError::NoMirror)
    }

    /// Parses the output of `apt-get --print-uris update`. Its lines begin with a quoted
    /// address, such as `'ADDRESS/dists/bookworm/InRelease'`.
    fn parse(uris: &str) -> Option<Self> {
        let mut main = None;
        let mut security = None;
        for line in uris.lines() {
            let Some((base, suite)) = line
                .strip_prefix('\'')
                .and_then(|line| line.split_once("/InRelease'"))
                .and_then(|(uri, _)| uri.rsplit_once("/dists/"))
            else {
                continue;
            };
            let (code_name, kind) = suite.split_once(['-', '/']).unwrap_or((suite, ""));
            if !CODE_NAMES.contains(&code_name) || is_foreign(base) {
                continue;
            }
            let place = match kind {
                "security" | "updates" if base.contains("security") => &mut security,
                "" | "updates" | "backports" => &mut main,
                _ => continue,
            };
            place.get_or_insert_with(|| base.to_owned());
        }
        main.map(|main| Mirrors { main, security })
    }

    /// The suites that these addresses serve. Without an address for security updates,
    /// their suites are left out.
    pub(super) fn suites(&self, wanted: &[String]) -> Vec<String> {
        wanted
            .iter()
            .filter(|suite| self.security.is_some() || !is_security(suite))
            .cloned()
            .collect()
    }

    /// An apt sources file (deb822) for these suites.
    pub(super) fn sources(&self, suites: &[String]) -> Result<String, ArchiveError> {
        if !Path::new(KEYRING).exists() {
            return Err(ArchiveError::NoKeyring {
                path: KEYRING.to_owned(),
            });
        }
        Ok(self.render(suites))
    }

    fn render(&self, suites: &[String]) -> String {
        suites
            .iter()
            .map(|suite| {
                let address = match &self.security {
                    Some(security) if is_security(suite) => security,
                    _ => &self.main,
                };
                format!(
                    "Types: deb\nURIs: {address}\nSuites: {suite}\nComponents: main\n\
                     Architectures: amd64\nTargets: Packages\nSigned-By: {KEYRING}\n\n"
                )
            })
            .collect()
    }
}

fn is_security(suite: &str) -> bool {
    suite.ends_with("-security")
}

/// Whether this is another distribution's archive. Some use Debian's code names too,
/// usually below `linux/debian`. One that is not recognised here fails on its signature,
/// not silently.
fn is_foreign(base: &str) -> bool {
    base.contains("/linux/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const HOST: &str = "\
'http://other.example/linux/debian/dists/bookworm/InRelease' other 0 \n\
'http://mirror.example/debian/dists/bookworm/InRelease' a 0 \n\
'http://mirror.example/debian/dists/bookworm-updates/InRelease' b 0 \n\
'http://mirror.example/debian-security/dists/bookworm-security/InRelease' c 0 \n\
'http://mirror.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' d 0 \n";

    #[rstest]
    #[case::usual(HOST, Some(("http://mirror.example/debian", Some("http://mirror.example/debian-security"))))]
    #[case::dated(
        "'http://s.example/archive/debian/20250520T000000Z/dists/trixie/InRelease' a 0 ",
        Some(("http://s.example/archive/debian/20250520T000000Z", None))
    )]
    #[case::vendor_repository("'http://v.example/apt/dists/bookworm-pgdg/InRelease' a 0 ", None)]
    #[case::another_distribution("'http://u.example/ubuntu/dists/noble/InRelease' a 0 ", None)]
    #[case::nothing("", None)]
    fn the_host_knows_an_address(
        #[case] uris: &str,
        #[case] expected: Option<(&str, Option<&str>)>,
    ) {
        let expected = expected.map(|(main, security)| Mirrors {
            main: main.to_owned(),
            security: security.map(str::to_owned),
        });
        assert_eq!(Mirrors::parse(uris), expected);
    }

    #[test]
    fn security_suites_need_their_own_address() {
        let wanted = ["bookworm".to_owned(), "bookworm-security".to_owned()];
        let mut mirrors = Mirrors::parse(HOST).unwrap();
        assert_eq!(mirrors.suites(&wanted), wanted);
        insta::assert_snapshot!(mirrors.render(&wanted));
        mirrors.security = None;
        assert_eq!(mirrors.suites(&wanted), wanted[..1]);
    }
}
