//! Which variant of a campaign a user gets: a stable hash, so that every evaluation agrees.
//!
//! `h = xxh3_64(campaign id bytes ‖ user id in UTF-8, seed 0x636f726b76617231)`; the user falls on
//! point `h mod (sum of weights)` of the weights laid end to end in the campaign's order. The seed
//! differs from the slot's, so variants do not follow slots. 64 bits over at most 2^32 points leave
//! a bias below 2^-32.

use xxhash_rust::xxh3::Xxh3;

use crate::id::{CampaignId, Id};
use crate::user::UserId;

const SEED: u64 = 0x636f_726b_7661_7231;

/// The index of the variant that `user` gets, or `None` when the weights sum to zero.
#[must_use]
pub fn choose_variant(
    campaign: CampaignId,
    user: &UserId,
    weights: impl Iterator<Item = u32> + Clone,
) -> Option<usize> {
    let total: u64 = weights.clone().map(u64::from).sum();
    let mut hash = Xxh3::with_seed(SEED);
    hash.update(&campaign.to_bytes());
    hash.update(user.as_str().as_bytes());
    let mut point = hash.digest().checked_rem(total)?;
    for (index, weight) in weights.enumerate() {
        match point.checked_sub(u64::from(weight)) {
            None => return Some(index),
            Some(rest) => point = rest,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(user: &str, weights: &[u32]) -> Option<usize> {
        let campaign = CampaignId::from_bytes(*b"corkboard-cards!");
        choose_variant(
            campaign,
            &UserId::parse(user).unwrap(),
            weights.iter().copied(),
        )
    }

    #[test]
    fn points_equal_the_published_vectors() {
        // Points on 100 computed with python-xxhash: the user falls in the one-wide variant there.
        for (user, point) in [
            ("u-1", 24),
            ("u-2", 25),
            ("u-3", 76),
            ("ada@example.com", 49),
        ] {
            assert_eq!(choose(user, &[point, 1, 99 - point]), Some(1), "{user}");
        }
    }

    #[test]
    fn shares_come_out_as_weighted() {
        let hits = (0..20_000)
            .filter(|i| choose(&format!("user-{i}"), &[90, 10]) == Some(1))
            .count();
        // 2,000 expected; six standard deviations are 255.
        assert!((1_745..2_255).contains(&hits), "{hits}");
    }

    #[test]
    fn a_zero_weight_is_never_chosen_and_no_weight_is_nobody() {
        assert!((0..1_000).all(|i| choose(&format!("user-{i}"), &[0, 5, 0]) == Some(1)));
        assert_eq!(choose("u-1", &[0, 0]), None);
        assert_eq!(choose("u-1", &[]), None);
    }
}
