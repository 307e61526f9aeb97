//! Are the random streams still the ones of earlier versions?
//!
//! A change here changes every drawn weight: saved runs can then no longer be repeated. The numbers agree with a second
//! implementation in Python (`blake3`, PCG DXSM by its definition, one trial after another).

use crossbayes::random::{Purpose, StreamName, Trials};

#[test]
fn streams_keep_their_numbers() {
    let plain = StreamName::new(Purpose::WeightSample);
    let mut stream = plain.open(0);
    assert_eq!(
        [stream.bits(), stream.bits(), stream.bits()],
        [0x5e1a_a3c9_8af5_3ae5, 0x0532_46b8_0a5a_a4d3, 0x4b42_d6b5_7acc_a944]
    );
    let full =
        StreamName { purpose: Purpose::SyntheticPosterior, layer: 1, array: 2, member: 3, position: 1 << 40, bit: 5 };
    let mut stream = full.open(0x0123_4567_89ab_cdef);
    assert_eq!(
        [stream.bits(), stream.bits(), stream.bits()],
        [0x2eca_5e2e_bb28_ef8f, 0xf849_0c27_e5f1_710c, 0x965d_d043_c136_2705]
    );
}

#[test]
fn uniform_numbers_keep_their_bits() {
    let mut stream = StreamName::new(Purpose::SyntheticPosterior).open(42);
    assert_eq!([stream.uniform(), stream.uniform()].map(f64::to_bits), [0x3fdf_961a_cc05_ab28, 0x3fe1_21ed_7e0d_0936]);
}

#[test]
fn trials_keep_their_outcomes() {
    let p: Vec<f32> = (0..100).map(|i| i as f32 / 99.0).collect();
    for (bits, expected) in [
        (3, [0x0664_2491_8160_0000, 0x0000_000f_fef7_dcc9]),
        (8, [0x8664_2c91_8140_0000, 0x0000_000f_dff5_dccb]),
        (12, [0x75e1_0802_0048_8000, 0x0000_000f_ff9e_fdf3]),
        (16, [0x75e1_0802_0048_8000, 0x0000_000f_ff9e_fdf3]),
        (32, [0xf95d_4a69_4401_0200, 0x0000_000f_ff6f_ff62]),
    ] {
        let mut outcome = [0; 2];
        Trials::new(&p, bits).draw(&mut StreamName::new(Purpose::WeightSample).open(1), &mut outcome);
        assert_eq!(outcome, expected, "{bits} bits");
    }
}
