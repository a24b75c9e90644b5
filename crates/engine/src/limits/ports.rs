//! The budget of local ports.
//!
//! A TCP connection is its two addresses and its two ports. To one target, from one source address, there
//! can be as many as the host has ports to give; each further source address or target adds as many.

use std::collections::HashSet;
use std::net::IpAddr;

use loadgen_wire::Target;

use super::{LimitError, Need, Warning};

/// How long a port rests after its connection was closed from this side, s: Linux's TIME_WAIT.
const REST_S: u64 = 60;
/// The same in ns.
pub(super) const REST_NS: i64 = REST_S as i64 * 1_000_000_000;

/// The ports that this host gives to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortBudget {
    /// For each pair of source address and target.
    pub ports: u64,
}

impl PortBudget {
    /// As /proc/sys/net/ipv4 has it; `None` elsewhere than on Linux.
    pub fn read() -> Option<Self> {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"));
        let reserved = read("ip_local_reserved_ports").unwrap_or_default();
        Self::parse(&read("ip_local_port_range").ok()?, &reserved)
    }

    /// From the content of `ip_local_port_range` (`32768 60999`) and of `ip_local_reserved_ports`
    /// (`8080,9000-9010`, or nothing).
    pub fn parse(range: &str, reserved: &str) -> Option<Self> {
        let mut ends = range.split_whitespace().map(str::parse::<u16>);
        let (first, last) = (ends.next()?.ok()?, ends.next()?.ok()?);
        if first > last {
            return None;
        }
        let reserved: HashSet<u16> = reserved
            .trim()
            .split(',')
            .filter_map(|item| {
                let (from, to) = item.split_once('-').unwrap_or((item, item));
                Some(from.trim().parse::<u16>().ok()?..=to.trim().parse::<u16>().ok()?)
            })
            .flatten()
            .collect();
        let ports = (first..=last).filter(|port| !reserved.contains(port)).count();
        Some(Self { ports: ports as u64 })
    }

    /// Connections that there can be at once to `targets` from `sources` (none given: the one address that
    /// the system chooses). A source counts for targets of its own IP version; a name may turn out as
    /// either.
    pub fn connections(&self, targets: &[Target], sources: &[IpAddr]) -> u64 {
        let endpoints: HashSet<(&str, u16)> =
            targets.iter().map(|target| (target.host(), target.port())).collect();
        let ips = |host: &str| host.parse::<IpAddr>().ok();
        let sources: HashSet<&IpAddr> = sources.iter().collect();
        let pairs: u64 = endpoints
            .into_iter()
            .map(|(host, _)| {
                let fit = |source: &&&IpAddr| ips(host).is_none_or(|ip| ip.is_ipv4() == source.is_ipv4());
                (sources.iter().filter(fit).count() as u64).max(1)
            })
            .sum();
        self.ports.saturating_mul(pairs)
    }
}

/// Whether there are ports for `need`: refused where there surely are not, warned of where there may not
/// be.
pub fn check_ports(
    need: &Need,
    targets: &[Target],
    sources: &[IpAddr],
    budget: &PortBudget,
) -> Result<Option<Warning>, LimitError> {
    let available = budget.connections(targets, sources);
    if need.least > available {
        return Err(LimitError::Ports { connections: need.least, available, ports: budget.ports });
    }
    if let Some(connections) = need.most.filter(|most| *most > available) {
        return Ok(Some(Warning::Ports { connections, available }));
    }
    if need.short_lived.is_some_and(|connections| connections <= available) {
        return Ok(None);
    }
    Ok(Some(Warning::RestingPorts {
        connections: need.short_lived,
        available,
        per_second: available / REST_S,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn targets(urls: &[&str]) -> Vec<Target> {
        urls.iter().map(|url| Target::parse(url).unwrap()).collect()
    }

    fn sources(addresses: &[&str]) -> Vec<IpAddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn the_range_is_what_the_kernel_says_without_what_it_keeps_back() {
        let ports = |range, reserved| PortBudget::parse(range, reserved).map(|budget| budget.ports);
        assert_eq!(ports("32768\t60999\n", "\n"), Some(28_232));
        assert_eq!(ports("32768\t60999\n", "8080,40000-40009,40005\n"), Some(28_222));
        assert_eq!(ports("10 10", ""), Some(1));
        assert_eq!(ports("1024 65535", "1024-65535"), Some(0));
        assert_eq!([ports("", ""), ports("9 8", ""), ports("a b", "")], [None, None, None]);
    }

    #[test]
    fn each_pair_of_source_and_target_has_all_ports() {
        let budget = PortBudget { ports: 100 };
        let one = targets(&["http://127.0.0.1:8000"]);
        assert_eq!(budget.connections(&one, &[]), 100);
        assert_eq!(budget.connections(&one, &sources(&["127.0.0.2", "127.0.0.3", "127.0.0.2"])), 200);
        assert_eq!(budget.connections(&one, &sources(&["::1"])), 100, "of no use to this target");
        let more = targets(&["http://127.0.0.1:8000/a", "http://127.0.0.1:8000/b", "http://127.0.0.1:8001"]);
        assert_eq!(budget.connections(&more, &sources(&["127.0.0.2", "127.0.0.3"])), 400);
    }

    #[test]
    fn too_few_ports_are_refused_if_needed_and_warned_of_if_not() {
        let budget = PortBudget { ports: 100 };
        let to = targets(&["http://h:1"]);
        let check =
            |least, most, short_lived| check_ports(&Need { least, most, short_lived }, &to, &[], &budget);
        assert_eq!(check(100, Some(100), Some(0)), Ok(None));
        assert_eq!(check(0, None, Some(0)), Ok(None));
        assert_eq!(
            check(101, Some(101), Some(0)),
            Err(LimitError::Ports { connections: 101, available: 100, ports: 100 })
        );
        assert_eq!(
            check(0, Some(101), Some(0)),
            Ok(Some(Warning::Ports { connections: 101, available: 100 }))
        );
        let resting = |connections| Warning::RestingPorts { connections, available: 100, per_second: 1 };
        assert_eq!(check(8, Some(8), Some(600)), Ok(Some(resting(Some(600)))));
        assert_eq!(check(8, Some(8), None), Ok(Some(resting(None))), "nobody knows how many");
        let pool = sources(&["10.0.0.1", "10.0.0.2"]);
        let need = Need { least: 101, most: Some(101), short_lived: Some(0) };
        assert_eq!(check_ports(&need, &to, &pool, &budget), Ok(None), "another source doubles them");
    }

    proptest! {
        #[test]
        fn reading_never_panics(range in ".{0,30}", reserved in "[0-9,\\- ]{0,40}") {
            if let Some(budget) = PortBudget::parse(&range, &reserved) {
                prop_assert!(budget.ports <= 65_536);
            }
        }
    }
}
