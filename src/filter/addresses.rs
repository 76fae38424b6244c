//! IP addresses and networks of them.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;

use tantivy::Term;

use crate::error::Result;
use crate::filter::bound::BoundClause;
use crate::filter::clause::RangeClause;
use crate::filter::coerce::{address, column, wrong_value};
use crate::filter::column_range::ColumnValues;
use crate::filter::field::Target;
use crate::filter::path::Path;
use crate::filter::ranges::{read, term_range};
use crate::filter::value::FieldValue;

/// The addresses of a network like `10.0.0.0/8`; bits behind the prefix do not count. `None` for
/// what is not written as one, a single address included.
pub(crate) fn network(value: &FieldValue) -> Option<RangeInclusive<u128>> {
    let FieldValue::Text(text) = value else {
        return None;
    };
    let (address, bits) = text.split_once('/')?;
    let well_formed = (1..=3).contains(&bits.len()) && bits.bytes().all(|b| b.is_ascii_digit());
    let bits: u32 = bits.parse().ok().filter(|_| well_formed)?;
    let (number, fixed) = match address.parse().ok()? {
        // As tantivy holds them: mapped into version 6.
        IpAddr::V4(address) if bits <= 32 => (address.to_ipv6_mapped().to_bits(), 96 + bits),
        IpAddr::V6(address) if bits <= 128 => (address.to_bits(), bits),
        IpAddr::V4(_) | IpAddr::V6(_) => return None,
    };
    let open = u128::MAX.checked_shr(fixed).unwrap_or(0);
    Some(number & !open..=number | open)
}

/// The clause of a range. A network as a bound stands for its first address or its last.
pub(crate) fn range(
    target: &Target<'_>,
    clause: &RangeClause,
    path: &Path<'_>,
) -> Result<BoundClause> {
    let span = |value: &FieldValue, path: &Path<'_>| {
        if let Some(network) = network(value) {
            return Ok(network);
        }
        let address =
            address(value).ok_or_else(|| wrong_value(target, value, "an IP address", path))?;
        Ok(u128::from(address)..=u128::from(address))
    };
    let gt = read(&clause.gt, "gt", path, &span)?.map(|span| span.end().checked_add(1));
    let lt = read(&clause.lt, "lt", path, &span)?.map(|span| span.start().checked_sub(1));
    let gte = read(&clause.gte, "gte", path, &span)?.map(|span| *span.start());
    let lte = read(&clause.lte, "lte", path, &span)?.map(|span| *span.end());
    if gt == Some(None) || lt == Some(None) {
        // Above the last address and below the first there is none.
        return Ok(BoundClause::Empty);
    }
    let first = gt.flatten().max(gte).unwrap_or(0);
    let last = [lt.flatten(), lte].into_iter().flatten().min();
    between(target, first..=last.unwrap_or(u128::MAX), path)
}

/// The clause of the addresses from one to another.
pub(crate) fn between(
    target: &Target<'_>,
    addresses: RangeInclusive<u128>,
    path: &Path<'_>,
) -> Result<BoundClause> {
    if addresses.is_empty() {
        return Ok(BoundClause::Empty);
    }
    let (first, last) = addresses.into_inner();
    let (first, last) = (Ipv6Addr::from(first), Ipv6Addr::from(last));
    if target.is_fast() {
        return Ok(column(target, ColumnValues::Addresses(first..=last)));
    }
    if !target.is_indexed() {
        return Err(target.not_searchable(path));
    }
    let term = |address| Term::from_field_ip_addr(target.field, address);
    Ok(term_range(target, &term(first), &term(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_a_range_of_addresses() {
        let shown = |text: &str| {
            let network = network(&text.into())?;
            let shown = |address: &u128| Ipv6Addr::from_bits(*address).to_canonical().to_string();
            Some((shown(network.start()), shown(network.end())))
        };
        let pair = |first: &str, last: &str| Some((first.to_owned(), last.to_owned()));
        assert_eq!(shown("10.0.0.0/8"), pair("10.0.0.0", "10.255.255.255"));
        assert_eq!(shown("10.1.2.3/24"), pair("10.1.2.0", "10.1.2.255"));
        assert_eq!(shown("10.1.2.3/32"), pair("10.1.2.3", "10.1.2.3"));
        assert_eq!(shown("0.0.0.0/0"), pair("0.0.0.0", "255.255.255.255"));
        assert_eq!(shown("fe80::1/127"), pair("fe80::", "fe80::1"));
        let all = pair("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
        assert_eq!(shown("::/0"), all);
        for text in [
            "10.0.0.1",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "/8",
            "a/8",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
