//! Random numbers of a step: drawn from the session's seed and the position of the step's cause, so that a replayed
//! step sees the same ones.

use pointsman_contract::Seq;

/// One output of SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators"; the constants
/// are those of `java.util.SplittableRandom`): the session's seed is the generator's start, the position its step.
/// Neighbouring positions and neighbouring seeds give unrelated numbers.
pub fn seed_of(session: u64, seq: Seq) -> u64 {
    let mut z = session.wrapping_add(seq.0.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_of_a_session_are_the_outputs_of_splitmix64() {
        // The reference outputs for the start 1234567, as published with the C version of the generator.
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!([1, 2, 3].map(|n| seed_of(1_234_567, Seq(n))), expected);
    }
}
