//! What is said about each kind of broken configuration, to the letter.
//!
//! Each case edits a good chip (`pcm_128`), cost table (`neurosim_22nm`) or network (`toy_two_layers`), or gives
//! overrides, and states the whole answer.

use crossbayes::Error;
use crossbayes::config::{ArrayReadout, LoadRequest, check_files, embedded, load, load_expanded, to_ron};
use crossbayes::run::{check_described, planned};
use proptest::prelude::*;
use std::path::Path;

/// What is done to the good files.
enum Edit {
    /// Replaces a text in the chip file.
    Arch(&'static str, &'static str),
    /// Replaces a text in the network file.
    Workload(&'static str, &'static str),
    /// Replaces a text in the cost table.
    Parts(&'static str, &'static str),
    /// Replaces the cost table.
    Table(&'static str),
    /// Gives an override.
    Set(&'static str),
}
use Edit::{Arch, Parts, Set, Table, Workload};

const CASES: &[(&str, &[Edit], &str)] = &[
    // No RON.
    (
        "a parenthesis is not closed",
        &[Arch(
            r#"    global_buffer: (capacity: "1 MiB", bytes_per_cycle: 64),
)
"#,
            r#"    global_buffer: (capacity: "1 MiB", bytes_per_cycle: 64),
"#,
        )],
        r#"chip.ron:35:1: error: expected `)` for the `(` of line 2, column 1, found the end of the file
35 | 
   | ^
"#,
    ),
    (
        "a comma is missing",
        &[Arch("rows: 128,", "rows: 128")],
        r#"chip.ron:10:9: error: expected `,` or `)`, found `columns`
10 |         columns: 128,
   |         ^^^^^^^
"#,
    ),
    (
        "a quantity without quotes",
        &[Arch(r#""10 ns""#, "10 ns")],
        r#"chip.ron:15:23: error: expected `,` or `)`, found `ns`
15 |         read_time: 10 ns,
   |                       ^^
help: a number with a unit is a text: write it in quotes, "10 ns"
"#,
    ),
    (
        "a quantity without quotes or blank",
        &[Arch(r#""10 ns""#, "10ns")],
        r#"chip.ron:15:20: error: expected a number, found `10ns`
15 |         read_time: 10ns,
   |                    ^^^^
help: a number with a unit is a text: "10 ns"
"#,
    ),
    (
        "a text is not closed",
        &[Arch(r#"name: "pcm_128","#, r#"name: "pcm_128,"#)],
        r#"chip.ron:4:19: error: expected `,` or `)`, found `Arrays`
4 |     description: "Arrays of 128 x 128 PCM cells in differential pairs, eight to a tile. A sample-and-hold lets the next read overlap the conversions; the next weight sample is drawn while this one is read.",
  |                   ^^^^^^
help: is the closing quote of the text on line 3 missing?
"#,
    ),
    (
        "a comment is not closed",
        &[Arch("// Cells:", "/* Cells:")],
        r#"chip.ron:1:1: error: the comment that starts here is not closed by `*/`
1 | /* Cells: 25 uS programmed, 0 uS reset, read at 0.2 V in 10 ns (V2 G t = 10 fJ for an on cell, as NeuroSim's 9.3 fJ).
  | ^^
"#,
    ),
    (
        "an unknown escape",
        &[Arch(r#""pcm_128""#, r#""pcm\q128""#)],
        r#"chip.ron:3:15: error: unknown escape; expected one of \n \r \t \\ \" \' \0 \x41 \u{41}
3 |     name: "pcm\q128",
  |               ^^
"#,
    ),
    (
        "a key in quotes",
        &[Arch("columns: 128,", r#""columns": 128,"#)],
        r#"chip.ron:10:9: error: expected a key, found `"`
10 |         "columns": 128,
   |         ^
help: keys of a struct stand without quotes
"#,
    ),
    (
        "single quotes",
        &[Arch(r#""1 GHz""#, "'1 GHz'")],
        r#"chip.ron:6:12: error: expected a value, found `'`
6 |     clock: '1 GHz',
  |            ^
help: texts stand in double quotes
"#,
    ),
    (
        "a colon is missing",
        &[Arch("rows: 128,", "rows 128,")],
        r#"chip.ron:9:14: error: expected `,` or `)`, found `128`
9 |         rows 128,
  |              ^^^
"#,
    ),
    (
        "an unknown extension",
        &[Arch("// Cells:", "#![enable(unwrap_newtypes)] // Cells:")],
        r#"chip.ron:1:11: error: expected the extension `implicit_some`, the only one that is read, found `unwrap_newtypes`
1 | #![enable(unwrap_newtypes)] // Cells: 25 uS programmed, 0 uS reset, read at 0.2 V in 10 ns (V2 G t = 10 fJ for an on cell, as NeuroSim's 9.3 fJ).
  |           ^^^^^^^^^^^^^^^
"#,
    ),
    (
        "something after the end",
        &[Arch(
            r#"bytes_per_cycle: 64),
)
"#,
            r#"bytes_per_cycle: 64),
)
)
"#,
        )],
        r#"chip.ron:36:1: error: expected the end of the file, found `)`
36 | )
   | ^
"#,
    ),
    (
        "a value is missing",
        &[Arch("rows: 128,", "rows: ,")],
        r#"chip.ron:9:15: error: expected a value, found `,`
9 |         rows: ,
  |               ^
"#,
    ),
    (
        "a number too large for any type",
        &[Arch("rows: 128,", "rows: 1000000000000000000000000000000000000000,")],
        r#"chip.ron:9:15: error: the number 1000000000000000000000000000000000000000 is too large
9 |         rows: 1000000000000000000000000000000000000000,
  |               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
"#,
    ),
    (
        "nested too deep",
        &[Arch(
            "rows: 128,",
            "rows: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],",
        )],
        r#"chip.ron:9:78: error: nested more than 64 levels deep
9 |         rows: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],
  |                                                                              ^
"#,
    ),
    // Keys and types.
    (
        "an unknown key",
        &[Arch("columns_per_adc: 8,", "colums_per_adc: 8,")],
        r#"chip.ron:19:20: error: unknown key "colums_per_adc" of adc; expected one of bits, columns_per_adc, input, range, conversions, cost
19 |     adc: (bits: 8, colums_per_adc: 8, input: Pair, range: FullScale),
   |                    ^^^^^^^^^^^^^^
help: did you mean "columns_per_adc"?
"#,
    ),
    (
        "an unknown key like no other",
        &[Arch(
            r#"depth: 2),
    digital"#,
            r#"depth: 2, wavelength: 3),
    digital"#,
        )],
        r#"chip.ron:26:29: error: unknown key "wavelength" of accumulator; expected one of depth
26 |     accumulator: (depth: 2, wavelength: 3),
   |                             ^^^^^^^^^^
"#,
    ),
    (
        "a missing key",
        &[Arch(
            r#"        rows: 128,
"#,
            "",
        )],
        r#"chip.ron:8:12: error: missing key "rows" of array
8 |     array: (
  |            ^
"#,
    ),
    (
        "a duplicate key",
        &[Arch("rows: 128,", "rows: 128, rows: 64,")],
        r#"chip.ron:9:20: error: duplicate key "rows" of array; line 9 has it already
9 |         rows: 128, rows: 64,
  |                    ^^^^
"#,
    ),
    (
        "a text where a number belongs",
        &[Arch("rows: 128,", r#"rows: "128","#)],
        r#"chip.ron:9:15: error: rows: expected a whole number, found the text "128"
9 |         rows: "128",
  |               ^^^^^
"#,
    ),
    (
        "a number where a quantity belongs",
        &[Arch(r#""10 ns""#, "10")],
        r#"chip.ron:15:20: error: read_time: expected a time as text with a unit, such as "10 ns", found the number 10
15 |         read_time: 10,
   |                    ^^
"#,
    ),
    (
        "a real number where a whole one belongs",
        &[Arch("rows: 128,", "rows: 128.5,")],
        r#"chip.ron:9:15: error: rows: expected a whole number, found the number 128.5
9 |         rows: 128.5,
  |               ^^^^^
"#,
    ),
    (
        "a negative number",
        &[Arch("rows: 128,", "rows: -128,")],
        r#"chip.ron:9:15: error: rows is -128; expected 1..=4096
9 |         rows: -128,
  |               ^^^^
"#,
    ),
    (
        "a number where true or false belongs",
        &[Arch("sample_and_hold: true", "sample_and_hold: 1")],
        r#"chip.ron:16:26: error: sample_and_hold: expected true or false, found the number 1
16 |         sample_and_hold: 1,
   |                          ^
"#,
    ),
    (
        "a list where a struct belongs",
        &[Arch("driver: (bits_per_pulse: 1)", "driver: [1]")],
        r#"chip.ron:18:13: error: driver: expected a struct Driver(..), found a list
18 |     driver: [1],
   |             ^^^
"#,
    ),
    (
        "a struct of another name",
        &[Arch("driver: (bits_per_pulse: 1)", "driver: Adc(bits_per_pulse: 1)")],
        r#"chip.ron:18:13: error: driver: expected a struct Driver(..), found Adc(..)
18 |     driver: Adc(bits_per_pulse: 1),
   |             ^^^
"#,
    ),
    (
        "a text where a list belongs",
        &[Workload("relu: false,", r#"relu: false, inputs: "conv1","#)],
        r#"network.ron:8:68: error: inputs: expected a list [..], found the text "conv1"
8 |         (name: "fc1", op: Linear(outputs: 2), relu: false, inputs: "conv1", activation_bits: 2),
  |                                                                    ^^^^^^^
"#,
    ),
    // Quantities.
    (
        "a unit is missing",
        &[Arch(r#""10 ns""#, r#""10""#)],
        r#"chip.ron:15:20: error: read_time: the number has no unit; expected one of ps, ns, us, ms, s, such as "10 ns"
15 |         read_time: "10",
   |                    ^^^^
"#,
    ),
    (
        "a unit of another quantity",
        &[Arch(r#""10 ns""#, r#""10 nm""#)],
        r#"chip.ron:15:20: error: read_time: unknown time unit "nm"; expected one of ps, ns, us, ms, s
15 |         read_time: "10 nm",
   |                    ^^^^^^^
"#,
    ),
    (
        "a quantity finer than its step",
        &[Arch(r#""10 ns""#, r#""0.5 ps""#)],
        r#"chip.ron:15:20: error: read_time: "0.5 ps" cannot be held: the finest step of a time is 1 ps, the largest value 18446744073709551615 ps
15 |         read_time: "0.5 ps",
   |                    ^^^^^^^^
"#,
    ),
    (
        "a quantity without a number",
        &[Arch(r#""10 ns""#, r#""fast""#)],
        r#"chip.ron:15:20: error: read_time: expected a number and a unit, such as "10 ns", found "fast"
15 |         read_time: "fast",
   |                    ^^^^^^
"#,
    ),
    (
        "a quantity too large to hold",
        &[Arch(r#""1 MiB""#, r#""99999999999999 GiB""#)],
        r#"chip.ron:34:31: error: capacity: "99999999999999 GiB" cannot be held: the finest step of a data size is 1 B, the largest value 18446744073709551615 B
34 |     global_buffer: (capacity: "99999999999999 GiB", bytes_per_cycle: 64),
   |                               ^^^^^^^^^^^^^^^^^^^^
"#,
    ),
    // Variants.
    (
        "an unknown variant",
        &[Arch("Mesh(", "Mehs(")],
        r#"chip.ron:33:19: error: unknown variant "Mehs" of interconnect; expected one of Bus, Mesh, HTree
33 |     interconnect: Mehs(width: 0, bytes_per_cycle: 32),
   |                   ^^^^
help: did you mean Mesh?
"#,
    ),
    (
        "a variant in quotes",
        &[Arch("input: Pair", r#"input: "Pair""#)],
        r#"chip.ron:19:47: error: input: expected Pair without quotes, found a text
19 |     adc: (bits: 8, columns_per_adc: 8, input: "Pair", range: FullScale),
   |                                               ^^^^^^
"#,
    ),
    (
        "content for a variant that holds none",
        &[Arch("range: FullScale", "range: FullScale(3)")],
        r#"chip.ron:19:60: error: range: FullScale holds nothing; expected FullScale without parentheses
19 |     adc: (bits: 8, columns_per_adc: 8, input: Pair, range: FullScale(3)),
   |                                                            ^^^^^^^^^^^^
"#,
    ),
    (
        "no content for a variant that holds a value",
        &[Arch("range: FullScale", "range: Fixed")],
        r#"chip.ron:19:60: error: range: Fixed holds one value; expected Fixed(..)
19 |     adc: (bits: 8, columns_per_adc: 8, input: Pair, range: Fixed),
   |                                                            ^^^^^
"#,
    ),
    (
        "an unknown key of a variant",
        &[Arch("probability_bits: 8", "probabilty_bits: 8")],
        r#"chip.ron:22:9: error: unknown key "probabilty_bits" of Generator; expected one of source, bits_per_cycle, probability_bits, double_buffered, draws
22 |         probabilty_bits: 8,
   |         ^^^^^^^^^^^^^^^
help: did you mean "probability_bits"?
"#,
    ),
    (
        "a number where a variant belongs",
        &[Arch("input: Pair", "input: 2")],
        r#"chip.ron:19:47: error: input: expected one of Pair, Column, found the number 2
19 |     adc: (bits: 8, columns_per_adc: 8, input: 2, range: FullScale),
   |                                               ^
"#,
    ),
    // Sizes of a chip.
    (
        "an empty name",
        &[Arch(r#"name: "pcm_128""#, r#"name: """#)],
        r#"chip.ron:3:11: error: name: the text is empty
3 |     name: "",
  |           ^^
"#,
    ),
    (
        "a clock of zero",
        &[Arch(r#""1 GHz""#, r#""0 GHz""#)],
        r#"chip.ron:6:12: error: clock is 0 Hz; expected 1 MHz..=100 GHz
6 |     clock: "0 GHz",
  |            ^^^^^^^
"#,
    ),
    (
        "an unknown kind of cell",
        &[Set("arch.device.model=pcm_johsi")],
        r#"--set arch.device.model=pcm_johsi: error: model: there is no file "pcm_johsi", and none of that name is built in (hermes, ideal, pcm_joshi)
help: did you mean "pcm_joshi"?
"#,
    ),
    (
        "a cell that is no number",
        &[Set("arch.device.stuck_at_reset=NaN")],
        r#"--set arch.device.stuck_at_reset=NaN: error: stuck_at_reset: expected a number, found the text "NaN"
"#,
    ),
    (
        "cells from the future",
        &[Set("arch.device.age=-1 h")],
        r#"--set arch.device.age=-1 h: error: age: "-1 h" is negative; expected a duration of 0 or more, such as "1 h"
"#,
    ),
    (
        "an age in seconds",
        &[Set("arch.device.age=3600")],
        r#"--set arch.device.age=3600: error: age: expected a duration as text with a unit, such as "1 h", found the number 3600
"#,
    ),
    (
        "too many stuck cells",
        &[Set("arch.device.stuck_at_reset=0.7"), Set("arch.device.stuck_at_set=0.4")],
        r#"--set arch.device.stuck_at_set=0.4: error: stuck_at_reset and stuck_at_set are 1.1 together; expected at most 1
"#,
    ),
    (
        "wires that hardly conduct",
        &[Set("arch.device.wires.bit_line=3 kOhm")],
        r#"--set arch.device.wires.bit_line=3 kOhm: error: bit_line is 3 kOhm; expected 0 Ohm..=1 kOhm
"#,
    ),
    (
        "wires with the unit of a conductance",
        &[Set("arch.device.wires.word_line=1 uS")],
        r#"--set arch.device.wires.word_line=1 uS: error: word_line: unknown resistance unit "uS"; expected one of uOhm, mOhm, Ohm, kOhm
"#,
    ),
    (
        "a line of another name",
        &[Set("arch.device.wires.wordline=1 Ohm")],
        r#"--set arch.device.wires.wordline=1 Ohm: error: unknown key "wordline" of wires; expected one of word_line, bit_line
help: did you mean "word_line"?
"#,
    ),
    (
        "noise of something else",
        &[Set("arch.device.read_noise_per=Devices")],
        r#"--set arch.device.read_noise_per=Devices: error: unknown variant "Devices" of read_noise_per; expected one of Input, Device
help: did you mean Device?
"#,
    ),
    (
        "cells that do not reach the on conductance",
        &[Set("arch.device.model=hermes")],
        r#"chip.ron:13:25: error: conductance_on is 25 uS; the cells of "hermes" reach 10.35 uS
13 |         conductance_on: "25 uS",
   |                         ^^^^^^^
help: expected at most 10.35 uS
"#,
    ),
    (
        "a device table that is not monotonic",
        &[
            Set("arch.device.model=pcm_joshi"),
            Set("arch.device.model.read=[(form: Points(x: [0, 0.6, 0.5, 1], y: [0.2, 0.1, 0.1, 0.1]))]"),
        ],
        r#"--set arch.device.model.read=[(form: Points(x: [0, 0.6, 0.5, 1], y: [0.2, 0.1, 0.1, 0.1]))]: error: x[2] is 0.5; expected more than x[1] (0.6)
"#,
    ),
    (
        "a device table that leaves its range",
        &[
            Set("arch.device.model=pcm_joshi"),
            Set("arch.device.model.programming=[(form: Points(x: [0, 0.5, 1.2], y: [0.2, 0.1, 0.1]))]"),
        ],
        r#"--set arch.device.model.programming=[(form: Points(x: [0, 0.5, 1.2], y: [0.2, 0.1, 0.1]))]: error: x[2] is 1.2; expected 0..=1, in units of conductance_max
"#,
    ),
    (
        "a device table that becomes negative",
        &[
            Set("arch.device.model=pcm_joshi"),
            Set("arch.device.model.drift_mean=[(form: Polynomial(coefficients: [0.05, -0.1]))]"),
        ],
        r#"--set arch.device.model.drift_mean=[(form: Polynomial(coefficients: [0.05, -0.1]))]: error: drift_mean is -1.000e-4 at x = 0.501; expected nothing below 0 for x in 0..=1
"#,
    ),
    (
        "a device table without a source",
        &[Set(
            r#"arch.device.model=(name: "mine", conductance_max: "25 uS", reference_time: "20 s", read_time: "250 ns", programming: [], drift_mean: [], drift_sigma: [], read: [])"#,
        )],
        r#"--set arch.device.model=(name: "mine", conductance_max: "25 uS", reference_time: "20 s", read_time: "250 ns", programming: [], drift_mean: [], drift_sigma: [], read: []): error: missing key "source" of model
"#,
    ),
    (
        "no rows",
        &[Arch("rows: 128", "rows: 0")],
        r#"chip.ron:9:15: error: rows is 0; expected 1..=4096
9 |         rows: 0,
  |               ^
"#,
    ),
    (
        "too many columns",
        &[Arch("columns: 128", "columns: 8192")],
        r#"chip.ron:10:18: error: columns is 8192; expected 1..=4096
10 |         columns: 8192,
   |                  ^^^^
"#,
    ),
    (
        "columns that hold no whole synapse",
        &[Arch("columns: 128", "columns: 127")],
        r#"chip.ron:10:18: error: columns is 127; expected a multiple of cells_per_synapse (2)
10 |         columns: 127,
   |                  ^^^
"#,
    ),
    (
        "three cells a synapse",
        &[Arch("cells_per_synapse: 2", "cells_per_synapse: 3")],
        r#"chip.ron:10:18: error: columns is 128; expected a multiple of cells_per_synapse (3)
10 |         columns: 128,
   |                  ^^^
chip.ron:11:28: error: cells_per_synapse is 3; expected 2
11 |         cells_per_synapse: 3,
   |                            ^
"#,
    ),
    (
        "converters that do not divide the inputs",
        &[Arch("columns_per_adc: 8", "columns_per_adc: 7")],
        r#"chip.ron:19:37: error: columns_per_adc is 7; expected a divisor of the 64 pairs of an array
19 |     adc: (bits: 8, columns_per_adc: 7, input: Pair, range: FullScale),
   |                                     ^
help: the nearest is 8
"#,
    ),
    (
        "a pulse without a bit",
        &[Arch("bits_per_pulse: 1", "bits_per_pulse: 0")],
        r#"chip.ron:18:30: error: bits_per_pulse is 0; expected 1..=8
18 |     driver: (bits_per_pulse: 0),
   |                              ^
"#,
    ),
    (
        "more bits a pulse than a driver has",
        &[Arch("bits_per_pulse: 1", "bits_per_pulse: 9")],
        r#"chip.ron:18:30: error: bits_per_pulse is 9; expected 1..=8
18 |     driver: (bits_per_pulse: 9),
   |                              ^
"#,
    ),
    (
        "two digital-to-analogue converters of one resolution",
        &[Parts("(bits: 3, convert: (", "(bits: 2, convert: (")],
        r#"parts/neurosim_22nm.ron:32:16: error: duplicate entry for 2 bits; dac[0] has it already
32 |         (bits: 2, convert: (
   |                ^
"#,
    ),
    (
        "a buffer of nothing",
        &[Arch(r#""128 KiB""#, r#""0 B""#)],
        r#"chip.ron:30:34: error: capacity is 0 B; expected 1 B..=64 GiB
30 |         input_buffer: (capacity: "0 B", bytes_per_cycle: 64),
   |                                  ^^^^^
"#,
    ),
    (
        "an off cell that conducts like an on one",
        &[Arch(r#"conductance_off: "0 uS""#, r#"conductance_off: "25 uS""#)],
        r#"chip.ron:14:26: error: conductance_off is 25 uS; expected less than conductance_on (25 uS)
14 |         conductance_off: "25 uS",
   |                          ^^^^^^^
"#,
    ),
    (
        "a shift register whose taps do not reach its end",
        &[Set("arch.sampler.source=Lfsr(bits: 8, taps: [6, 5, 4])")],
        r#"--set arch.sampler.source=Lfsr(bits: 8, taps: [6, 5, 4]): error: taps is [6, 5, 4]; expected numbers in 1..=8, the largest of them bits (8)
"#,
    ),
    (
        "a shift register that repeats early, and registers that do not share a cycle's bits",
        &[Set("arch.sampler.source=Lfsr(bits: 8, taps: [8, 4], registers: 3)")],
        r#"--set arch.sampler.source=Lfsr(bits: 8, taps: [8, 4], registers: 3): error: a register of 8 bits with taps [8, 4] repeats before 2^8 - 1 steps
help: taps of full period are 8: [8, 6, 5, 4], 16: [16, 15, 13, 4], 32: [32, 22, 2, 1], 64: [64, 63, 61, 60]
--set arch.sampler.source=Lfsr(bits: 8, taps: [8, 4], registers: 3): error: registers is 3; expected a divisor of bits_per_cycle (128)
"#,
    ),
    (
        "sub-arrays that do not divide the rows",
        &[Arch(
            r#"Generator(
        bits_per_cycle: 128,
        probability_bits: 8,
        double_buffered: true,
        draws: PerMember,
    )"#,
            "Comparator(noise_rows: 8, sub_arrays: 3)",
        )],
        r#"chip.ron:20:52: error: sub_arrays is 3; expected a divisor of the 128 rows of an array
20 |     sampler: Comparator(noise_rows: 8, sub_arrays: 3),
   |                                                    ^
"#,
    ),
    (
        "sub-arrays of sense amplifiers that do not divide the rows",
        &[Arch("sample_and_hold: true,", "sample_and_hold: true, readout: SenseAmplifiers(sub_arrays: 3),")],
        r#"chip.ron:16:69: error: sub_arrays is 3; expected a divisor of the 128 rows of an array
16 |         sample_and_hold: true, readout: SenseAmplifiers(sub_arrays: 3),
   |                                                                     ^
"#,
    ),
    // Cost tables.
    (
        "a resolution that the cost table lacks",
        &[Arch("adc: (bits: 8", "adc: (bits: 12")],
        r#"chip.ron:19:17: error: cost table "neurosim_22nm" has no converter of 12 bits; expected one of 4, 5, 6, 7, 8, 9, 10
19 |     adc: (bits: 12, columns_per_adc: 8, input: Pair, range: FullScale),
   |                 ^^
"#,
    ),
    (
        "a node that the cost table cannot be scaled to",
        &[Arch(r#"node: "22 nm""#, r#"node: "5 nm""#)],
        r#"chip.ron:5:11: error: node is 5 nm; cost table "neurosim_22nm" is for 22 nm; expected the same, or both from 7 nm to 130 nm, between which digital parts are scaled
5 |     node: "5 nm",
  |           ^^^^^^
"#,
    ),
    (
        "a converter of fewer bits than those of the survey",
        &[Arch("adc: (bits: 8", "adc: (cost: Survey(rate: \"1 GHz\"), bits: 3")],
        r#"chip.ron:19:17: error: the regression over the survey does not reach to 3 bits; expected at least 4
19 |     adc: (cost: Survey(rate: "1 GHz"), bits: 3, columns_per_adc: 8, input: Pair, range: FullScale),
   |                 ^^^^^^^^^^^^^^^^^^^^^
"#,
    ),
    (
        "a rate beyond those of the survey",
        &[Arch("adc: (bits: 8", "adc: (cost: Survey(rate: \"20 GHz\"), bits: 8")],
        r#"chip.ron:19:30: error: rate is 20 GHz; expected 1 kHz..=10 GHz
19 |     adc: (cost: Survey(rate: "20 GHz"), bits: 8, columns_per_adc: 8, input: Pair, range: FullScale),
   |                              ^^^^^^^^
"#,
    ),
    (
        "a cost table that is not there",
        &[Arch("parts/neurosim_22nm.ron", "parts/neurosm_22nm.ron")],
        r#"chip.ron:7:12: error: costs: there is no file "parts/neurosm_22nm.ron", and none of that name is built in (equal_mac, ideal_periphery, neurosim_22nm, survey_22nm)
7 |     costs: "parts/neurosm_22nm.ron",
  |            ^^^^^^^^^^^^^^^^^^^^^^^^
help: did you mean "parts/neurosim_22nm.ron"?
"#,
    ),
    (
        "a cost without a source",
        &[Parts(
            r#"        source: "PUMA (Ankit et al., ASPLOS 2019), after ISAAC: 9.7 nW for 100 ns; taken as the read ends, so without time of its own",
"#,
            "",
        )],
        r#"parts/neurosim_22nm.ron:81:22: error: missing key "source" of sample_and_hold
81 |     sample_and_hold: (
   |                      ^
"#,
    ),
    (
        "a cost with an empty accuracy",
        &[Parts(r#"accuracy: "almost certainly optimistic""#, r#"accuracy: """#)],
        r#"parts/neurosim_22nm.ron:87:19: error: accuracy: the text is empty
87 |         accuracy: "",
   |                   ^^
"#,
    ),
    (
        "an unknown part",
        &[Parts("    pool: (", "    pol: (")],
        r#"parts/neurosim_22nm.ron:267:5: error: unknown key "pol" of costs; expected one of name, description, node, cell, wordline, dac, sample_and_hold, multiplexer, adc, comparator, sampled_accumulate, random_bit, true_random_bit, lfsr_register, lfsr_gate, draw_compare, draw_latch, probability_fetch, index_bit, gather, shift_add, adder, post_process, pool, buffer_read, buffer_write, global_read, global_write, link
267 |     pol: (
    |     ^^^
help: did you mean "pool"?
"#,
    ),
    (
        "a resolution twice",
        &[Parts("(bits: 9, ", "(bits: 4, ")],
        r#"parts/neurosim_22nm.ron:138:16: error: duplicate entry for 4 bits; adc[0] has it already
138 |         (bits: 4, convert: (
    |                ^
"#,
    ),
    (
        "a broken cost table",
        &[Parts(r#"name: "neurosim_22nm","#, "name: neurosim 22nm,")],
        r#"parts/neurosim_22nm.ron:4:20: error: expected `,` or `)`, found `22nm`
4 |     name: neurosim 22nm,
  |                    ^^^^
"#,
    ),
    // Networks.
    (
        "a layer that is not there",
        &[Workload("relu: false,", r#"relu: false, inputs: ["cnv1"],"#)],
        r#"network.ron:8:69: error: there is no layer named "cnv1"
8 |         (name: "fc1", op: Linear(outputs: 2), relu: false, inputs: ["cnv1"], activation_bits: 2),
  |                                                                     ^^^^^^
help: did you mean "conv1"?
"#,
    ),
    (
        "a layer name twice",
        &[Workload(r#""fc1""#, r#""conv1""#)],
        r#"network.ron:8:16: error: duplicate layer name "conv1"; layer 0 has it already
8 |         (name: "conv1", op: Linear(outputs: 2), relu: false, activation_bits: 2),
  |                ^^^^^^^
"#,
    ),
    (
        "a layer called input",
        &[Workload(r#""fc1""#, r#""input""#)],
        r#"network.ron:8:16: error: "input" names the network's input; expected another name
8 |         (name: "input", op: Linear(outputs: 2), relu: false, activation_bits: 2),
  |                ^^^^^^^
"#,
    ),
    (
        "a cycle",
        &[Workload(
            r#"activation_bits: 2),
        (name: "fc1""#,
            r#"activation_bits: 2, inputs: ["fc1"]),
        (name: "fc1""#,
        )],
        r#"network.ron:7:111: error: the network has a cycle: conv1 -> fc1 -> conv1
7 |         (name: "conv1", op: Conv(channels: 2, kernel: 2, stride: 1, padding: 0), activation_bits: 2, inputs: ["fc1"]),
  |                                                                                                               ^^^^^
"#,
    ),
    (
        "a kernel larger than the image",
        &[Workload("kernel: 2,", "kernel: 7,")],
        r#"network.ron:7:55: error: a kernel of 7x7 does not fit an input of 1x3x3 with padding 0
7 |         (name: "conv1", op: Conv(channels: 2, kernel: 7, stride: 1, padding: 0), activation_bits: 2),
  |                                                       ^
"#,
    ),
    (
        "a pooling window that does not divide the map",
        &[Workload("padding: 0), ", "padding: 0), pool: 3, ")],
        r#"network.ron:7:88: error: a pooling window of 3 does not divide the map of 2x2x2
7 |         (name: "conv1", op: Conv(channels: 2, kernel: 2, stride: 1, padding: 0), pool: 3, activation_bits: 2),
  |                                                                                        ^
"#,
    ),
    (
        "padding as large as the kernel",
        &[Workload("padding: 0", "padding: 2")],
        r#"network.ron:7:78: error: padding is 2; expected less than the kernel (2)
7 |         (name: "conv1", op: Conv(channels: 2, kernel: 2, stride: 1, padding: 2), activation_bits: 2),
  |                                                                              ^
"#,
    ),
    (
        "a last layer with more than one output position",
        &[
            Workload(
                r#"Conv(channels: 2, kernel: 2, stride: 1, padding: 0), activation_bits: 2),
        (name: "fc1", op: Linear(outputs: 2), relu: false, activation_bits: 2),"#,
                r#"Conv(channels: 2, kernel: 2, stride: 1, padding: 0), activation_bits: 2),"#,
            ),
            Workload("[0.5, 0.5]", "[0.5]"),
        ],
        r#"network.ron:7:29: error: "conv1" gives the logits at 4 output positions (2x2x2); expected one
7 |         (name: "conv1", op: Conv(channels: 2, kernel: 2, stride: 1, padding: 0), activation_bits: 2),
  |                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
help: put a Linear layer behind it, or pool it down to one position
"#,
    ),
    (
        "two layers that no other reads",
        &[Workload("relu: false,", r#"relu: false, inputs: ["input"],"#)],
        r#"network.ron:7:16: error: expected one layer that no other reads (the logits), found 2: conv1, fc1
7 |         (name: "conv1", op: Conv(channels: 2, kernel: 2, stride: 1, padding: 0), activation_bits: 2),
  |                ^^^^^^^
"#,
    ),
    (
        "two inputs of one layer",
        &[Workload("relu: false,", r#"relu: false, inputs: ["input", "conv1"],"#)],
        r#"network.ron:8:68: error: a convolution or linear layer reads one input, found 2
8 |         (name: "fc1", op: Linear(outputs: 2), relu: false, inputs: ["input", "conv1"], activation_bits: 2),
  |                                                                    ^^^^^^^^^^^^^^^^^^
"#,
    ),
    (
        "no layers",
        &[Workload(
            r#"        (name: "conv1", op: Conv(channels: 2, kernel: 2, stride: 1, padding: 0), activation_bits: 2),
        (name: "fc1", op: Linear(outputs: 2), relu: false, activation_bits: 2),
"#,
            "",
        )],
        r#"network.ron:6:13: error: a network needs at least one layer, found none
6 |     layers: [
  |             ^
"#,
    ),
    (
        "no outputs",
        &[Workload("outputs: 2", "outputs: 0")],
        r#"network.ron:8:43: error: outputs is 0; expected 1..=1048576
8 |         (name: "fc1", op: Linear(outputs: 0), relu: false, activation_bits: 2),
  |                                           ^
"#,
    ),
    (
        "a network too large to count",
        &[
            Workload("outputs: 2", "outputs: 1048576"),
            Workload("width: 3", "width: 4096"),
            Workload("height: 3", "height: 4096"),
        ],
        r#"network.ron:8:27: error: the layer would take 35167194316800 multiply-accumulates; expected at most 17592186044416
8 |         (name: "fc1", op: Linear(outputs: 1048576), relu: false, activation_bits: 2),
  |                           ^^^^^^^^^^^^^^^^^^^^^^^^
"#,
    ),
    (
        "a posterior for another number of layers",
        &[Workload("[0.5, 0.5]", "[0.5, 0.5, 0.5]")],
        r#"network.ron:10:50: error: probabilistic has 3 numbers; expected one for each of the 2 layers
10 |     posterior: Synthetic(seed: 1, probabilistic: [0.5, 0.5, 0.5]),
   |                                                  ^^^^^^^^^^^^^^^
"#,
    ),
    (
        "a share above one",
        &[Workload("[0.5, 0.5]", "[0.5, 1.5]")],
        r#"network.ron:10:56: error: probabilistic[1] is 1.5; expected 0..=1
10 |     posterior: Synthetic(seed: 1, probabilistic: [0.5, 1.5]),
   |                                                        ^^^
"#,
    ),
    (
        "an activity above one",
        &[Workload("activity: 0.5", "activity: 1.5")],
        r#"network.ron:11:15: error: activity is 1.5; expected 0..=1
11 |     activity: 1.5,
   |               ^^^
"#,
    ),
    (
        "no activation bits",
        &[Workload(
            r#"activation_bits: 2),
        (name"#,
            r#"activation_bits: 0),
        (name"#,
        )],
        r#"network.ron:7:99: error: activation_bits is 0; expected 1..=16
7 |         (name: "conv1", op: Conv(channels: 2, kernel: 2, stride: 1, padding: 0), activation_bits: 0),
  |                                                                                                   ^
"#,
    ),
    (
        "an image without rows",
        &[Workload("height: 3", "height: 0")],
        r#"network.ron:5:34: error: height is 0; expected 1..=4096
5 |     input: (channels: 1, height: 0, width: 3, bits: 2, signed: false),
  |                                  ^
"#,
    ),
    // Overrides.
    (
        "an override of an unknown section",
        &[Set("archh.adc.bits=8")],
        r#"--set archh.adc.bits=8: error: unknown key "archh" of config; expected one of arch, workload, mapping, schedule, ensemble, values, seed
help: did you mean "arch"?
"#,
    ),
    (
        "an override of an unknown key",
        &[Set("arch.adc.colums_per_adc=16")],
        r#"--set arch.adc.colums_per_adc=16: error: unknown key "colums_per_adc" of adc; expected one of bits, columns_per_adc, input, range, conversions, cost
help: did you mean "columns_per_adc"?
"#,
    ),
    (
        "an override of an unknown key of the run",
        &[Set("schedule.mdoe=layer")],
        r#"--set schedule.mdoe=layer: error: unknown key "mdoe" of schedule; expected one of mode, images, grain, window, grouping, queue, fast_forward
help: did you mean "mode"?
"#,
    ),
    (
        "an override of an unknown variant",
        &[Set("schedule.mode=sequental")],
        r#"--set schedule.mode=sequental: error: unknown variant "sequental" of mode; expected one of Sequential, Layer, Streaming
help: did you mean Sequential?
"#,
    ),
    (
        "more passes than are kept",
        &[Set("schedule.images=200000"), Set("ensemble.members=6")],
        r#"--set schedule.images=200000: error: images times members is 1200000 passes; expected at most 1000000
"#,
    ),
    (
        "more members than passes are kept, images by default",
        &[Set("ensemble.members=2000000")],
        r#"--set ensemble.members=2000000: error: images times members is 2000000 passes; expected at most 1000000
--set ensemble.members=2000000: error: members is 2000000; expected 1..=10000
"#,
    ),
    (
        "another base under a cost table that is complete",
        &[Set("arch.costs.base=survey_22nm")],
        r#"--set arch.costs.base=survey_22nm: error: base: the cost table of a chip is complete; expected another table or its entries
help: `--set arch.costs=survey_22nm` takes another table
"#,
    ),
    (
        "an empty window",
        &[Set("schedule.window=Cycles(from:5,to:5)")],
        r#"--set schedule.window=Cycles(from:5,to:5): error: the window ends at cycle 5; expected more than its start (5)
"#,
    ),
    (
        "an override without a value",
        &[Set("schedule.mode")],
        r#"--set schedule.mode: error: expected key=value, such as schedule.mode=layer; found no `=`
"#,
    ),
    (
        "an override without a key",
        &[Set("=layer")],
        r#"--set =layer: error: expected key=value, such as schedule.mode=layer; found no key
"#,
    ),
    (
        "an override of an unknown layer",
        &[Set("workload.layers.conv9.pool=2")],
        r#"--set workload.layers.conv9.pool=2: error: there is no item named "conv9"; expected one of conv1, fc1
help: did you mean "conv1"?
"#,
    ),
    (
        "an override past the end of a list",
        &[Set("workload.layers[5].pool=2")],
        r#"--set workload.layers[5].pool=2: error: there is no item [5] in a list of 2
"#,
    ),
    (
        "an override within a number",
        &[Set("arch.adc.bits.low=2")],
        r#"--set arch.adc.bits.low=2: error: there is no key "low" in the number 8
"#,
    ),
    (
        "an override that is no RON",
        &[Set(r#"mapping.replication=[("conv1", 4)"#)],
        r#"--set mapping.replication=[("conv1", 4): error: expected `]` for the `[` of line 1, column 1, found the end of the file
"#,
    ),
    (
        "an override with a wrong unit",
        &[Set("arch.array.read_time=20 nm")],
        r#"--set arch.array.read_time=20 nm: error: read_time: unknown time unit "nm"; expected one of ps, ns, us, ms, s
"#,
    ),
    (
        "no members",
        &[Set("ensemble.members=0")],
        r#"--set ensemble.members=0: error: members is 0; expected 1..=10000
"#,
    ),
    (
        "copies of a layer that is not there",
        &[Set("mapping.replication.conv2=4")],
        r#"--set mapping.replication.conv2=4: error: replication names "conv2", which is no layer
help: did you mean "conv1"?
"#,
    ),
    (
        "copies of a layer reported twice",
        &[Set(r#"mapping.replication=[("conv1", 2), ("conv1", 4)]"#)],
        r#"--set mapping.replication=[("conv1", 2), ("conv1", 4)]: error: replication names "conv1" twice
"#,
    ),
    (
        "stored samples without a posterior file",
        &[Set("ensemble.samples=stored")],
        r#"--set ensemble.samples=stored: error: stored samples need a posterior file; this workload has none
"#,
    ),
    (
        "an override that makes a default wrong",
        &[Set("workload.layers.conv1.op.kernel=9")],
        r#"--set workload.layers.conv1.op.kernel=9: error: a kernel of 9x9 does not fit an input of 1x3x3 with padding 0
"#,
    ),
    (
        "a cost table that is not built in",
        &[Set("arch.costs=servey_22nm")],
        r#"--set arch.costs=servey_22nm: error: costs: there is no file "servey_22nm", and none of that name is built in (equal_mac, ideal_periphery, neurosim_22nm, survey_22nm)
help: did you mean "parts/survey_22nm.ron"?
"#,
    ),
    (
        "an override of a key without its section",
        &[Set("adc.bits=9")],
        r#"--set adc.bits=9: error: unknown key "adc" of config; expected one of arch, workload, mapping, schedule, ensemble, values, seed
help: did you mean "arch.adc.bits"?
"#,
    ),
    (
        "an override of a key that several sections have",
        &[Set("activity=0.3")],
        r#"--set activity=0.3: error: unknown key "activity" of config; expected one of arch, workload, mapping, schedule, ensemble, values, seed
help: did you mean "workload.activity" or "workload.layers.NAME.activity"?
"#,
    ),
    (
        "several missing keys",
        &[Arch("rows: 128,", ""), Arch("columns: 128,", "")],
        r#"chip.ron:8:12: error: missing keys "rows", "columns" of array
8 |     array: (
  |            ^
"#,
    ),
    (
        "a decimal multiple of bytes",
        &[Arch(r#""1 MiB""#, r#""32 KB""#)],
        r#"chip.ron:34:31: error: capacity: unknown data size unit "KB"; expected one of B, KiB, MiB, GiB
34 |     global_buffer: (capacity: "32 KB", bytes_per_cycle: 64),
   |                               ^^^^^^^
help: did you mean "32 KiB"? 1 KiB is 1024 B
"#,
    ),
    (
        "a unit in capitals",
        &[Arch(r#""10 ns""#, r#""10 NS""#)],
        r#"chip.ron:15:20: error: read_time: unknown time unit "NS"; expected one of ps, ns, us, ms, s
15 |         read_time: "10 NS",
   |                    ^^^^^^^
help: did you mean "10 ns"?
"#,
    ),
    // A cost table on the base of another one.
    (
        "a base that is not there",
        &[Table(r#"(name: "mine", base: "neurosm_22nm")"#)],
        r#"parts/neurosim_22nm.ron:1:22: error: base: there is no file "neurosm_22nm", and none of that name is built in (equal_mac, ideal_periphery, neurosim_22nm, survey_22nm)
1 | (name: "mine", base: "neurosm_22nm")
  |                      ^^^^^^^^^^^^^^
help: did you mean "neurosim_22nm"?
"#,
    ),
    (
        "a base that is no text",
        &[Table(r#"(name: "mine", base: 22)"#)],
        r#"parts/neurosim_22nm.ron:1:22: error: base: expected the name or path of a cost table, found the number 22
1 | (name: "mine", base: 22)
  |                      ^^
"#,
    ),
    (
        "a table that is its own base",
        &[Table(r#"(name: "mine", base: "../parts/neurosim_22nm")"#)],
        r#"parts/../parts/neurosim_22nm.ron:1:22: error: base: "../parts/neurosim_22nm" leads back to a table that is on its base; expected bases that come to an end
1 | (name: "mine", base: "../parts/neurosim_22nm")
  |                      ^^^^^^^^^^^^^^^^^^^^^^^^
"#,
    ),
    (
        "a number that differs from the base's, from nowhere",
        &[Table(
            r#"(name: "mine", base: "survey_22nm", link: (energy: "1 fJ", source: "measured"), adc: [(bits: 8, convert: (time: "2 ns"))])"#,
        )],
        r#"parts/neurosim_22nm.ron:1:43: error: missing key "accuracy" of link: its energy is not that of survey_22nm
1 | (name: "mine", base: "survey_22nm", link: (energy: "1 fJ", source: "measured"), adc: [(bits: 8, convert: (time: "2 ns"))])
  |                                           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
parts/neurosim_22nm.ron:1:106: error: missing keys "source", "accuracy" of convert: its time is not that of survey_22nm
1 | (name: "mine", base: "survey_22nm", link: (energy: "1 fJ", source: "measured"), adc: [(bits: 8, convert: (time: "2 ns"))])
  |                                                                                                          ^^^^^^^^^^^^^^
"#,
    ),
    (
        "a table on a base without a name, with an unknown key and a resolution reported in part",
        &[Table(
            r#"(base: "survey_22nm", lnik: (energy: "1 fJ"), adc: [(bits: 12, convert: (time: "2 ns", source: "a", accuracy: "b"))])"#,
        )],
        r#"parts/neurosim_22nm.ron:1:1: error: missing key "name" of costs
1 | (base: "survey_22nm", lnik: (energy: "1 fJ"), adc: [(bits: 12, convert: (time: "2 ns", source: "a", accuracy: "b"))])
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
parts/neurosim_22nm.ron:1:23: error: unknown key "lnik" of costs; expected one of name, description, node, cell, wordline, dac, sample_and_hold, multiplexer, adc, comparator, sampled_accumulate, random_bit, true_random_bit, lfsr_register, lfsr_gate, draw_compare, draw_latch, probability_fetch, index_bit, gather, shift_add, adder, post_process, pool, buffer_read, buffer_write, global_read, global_write, link
1 | (base: "survey_22nm", lnik: (energy: "1 fJ"), adc: [(bits: 12, convert: (time: "2 ns", source: "a", accuracy: "b"))])
  |                       ^^^^
help: did you mean "link"?
parts/neurosim_22nm.ron:1:73: error: missing keys "energy", "area", "leakage" of convert
1 | (base: "survey_22nm", lnik: (energy: "1 fJ"), adc: [(bits: 12, convert: (time: "2 ns", source: "a", accuracy: "b"))])
  |                                                                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
"#,
    ),
    // Two planes a layer.
    (
        "a first ensembling layer that is no layer",
        &[Set(r#"mapping.scheme=Sparse(first_ensembling_layer: Layer("conv2"))"#)],
        r#"--set mapping.scheme=Sparse(first_ensembling_layer: Layer("conv2")): error: first_ensembling_layer is "conv2", which is no layer
help: did you mean "conv1"?
"#,
    ),
    (
        "a first ensembling layer like none",
        &[Set(r#"mapping.scheme=Sparse(first_ensembling_layer: Layer("everything"))"#)],
        r#"--set mapping.scheme=Sparse(first_ensembling_layer: Layer("everything")): error: first_ensembling_layer is "everything", which is no layer
"#,
    ),
    (
        "an eps of one half",
        &[Set(r#"mapping.scheme=Sparse(eps: Above(0.5))"#)],
        r#"--set mapping.scheme=Sparse(eps: Above(0.5)): error: eps is 0.5; expected 0..=0.499999
"#,
    ),
    (
        "an eps below 0",
        &[Set(r#"mapping.scheme=Sparse(eps: Above(-0.1))"#)],
        r#"--set mapping.scheme=Sparse(eps: Above(-0.1)): error: eps is -0.1; expected 0..=0.499999
"#,
    ),
    (
        "an eps that is no number",
        &[Set(r#"mapping.scheme=Sparse(eps: Above("small"))"#)],
        r#"--set mapping.scheme=Sparse(eps: Above("small")): error: eps: expected a number, found the text "small"
"#,
    ),
    (
        "an eps without its variant",
        &[Set(r#"mapping.scheme=Sparse(eps: 0.05)"#)],
        r#"--set mapping.scheme=Sparse(eps: 0.05): error: eps: expected one of Everything, Above, Auto, found the number 0.05
"#,
    ),
    (
        "lists on a plane that converters read",
        &[Set(r#"mapping.scheme=Sparse(eps: Above(0.05), packing: Lists())"#)],
        r#"--set mapping.scheme=Sparse(eps: Above(0.05), packing: Lists()): error: packing is Lists, whose rows hold another input in each column, and the stochastic plane is read by converters, with an input on each row
help: expected a Comparator sampler, or stochastic.readout: SenseAmplifiers(..), or packing: Rows
"#,
    ),
    (
        "zero rows skipped by converters",
        &[Set(r#"mapping.scheme=Sparse(eps: Above(0.05), skip_zero_rows: true)"#)],
        r#"--set mapping.scheme=Sparse(eps: Above(0.05), skip_zero_rows: true): error: skip_zero_rows is set, and the stochastic plane is read by converters, all rows at once
help: expected a Comparator sampler, or stochastic.readout: SenseAmplifiers(..)
"#,
    ),
    (
        "a packing of a plane that samples everything",
        &[Set(r#"mapping.scheme=Sparse(packing: Rows)"#)],
        r#"--set mapping.scheme=Sparse(packing: Rows): error: packing stores what is probabilistic, and eps is Everything: every synapse is sampled
help: expected eps: Above(..), or packing: Full
"#,
    ),
    (
        "nothing to keep",
        &[Set(r#"mapping.scheme=Sparse(keep_deterministic_part: true)"#)],
        r#"--set mapping.scheme=Sparse(keep_deterministic_part: true): error: keep_deterministic_part is set, and eps is Everything: there is no deterministic plane to keep
help: expected eps: Above(..)
"#,
    ),
    (
        "a key of a scheme that is misspelt",
        &[Set(r#"mapping.scheme=Sparse(first_ensembling_leyer: Layer("fc1"))"#)],
        r#"--set mapping.scheme=Sparse(first_ensembling_leyer: Layer("fc1")): error: unknown key "first_ensembling_leyer" of Sparse; expected one of first_ensembling_layer, eps, packing, keep_deterministic_part, skip_zero_rows
help: did you mean "first_ensembling_layer"?
"#,
    ),
    (
        "a packing that is misspelt",
        &[Set(r#"mapping.scheme=Sparse(eps: Above(0.05), packing: Row)"#)],
        r#"--set mapping.scheme=Sparse(eps: Above(0.05), packing: Row): error: unknown variant "Row" of packing; expected one of Full, Rows, Lists
help: did you mean Rows?
"#,
    ),
    (
        "a key of lists that is misspelt",
        &[Set(r#"mapping.scheme=Sparse(eps: Above(0.05), packing: Lists(sort: false))"#)],
        r#"--set mapping.scheme=Sparse(eps: Above(0.05), packing: Lists(sort: false)): error: packing is Lists, whose rows hold another input in each column, and the stochastic plane is read by converters, with an input on each row
help: expected a Comparator sampler, or stochastic.readout: SenseAmplifiers(..), or packing: Rows
--set mapping.scheme=Sparse(eps: Above(0.05), packing: Lists(sort: false)): error: unknown key "sort" of Lists; expected one of sorted
help: did you mean "sorted"?
"#,
    ),
    (
        "a scheme that is misspelt",
        &[Set(r#"mapping.scheme=Sparce(eps: Above(0.05))"#)],
        r#"--set mapping.scheme=Sparce(eps: Above(0.05)): error: unknown variant "Sparce" of scheme; expected one of Dense, Deterministic, Sparse
help: did you mean Sparse?
"#,
    ),
    (
        "an eps without a posterior",
        &[
            Workload("posterior: Synthetic(seed: 1, probabilistic: [0.5, 0.5]),", "posterior: Absent,"),
            Set(r#"mapping.scheme=Sparse(eps: Above(0.05))"#),
        ],
        r#"--set mapping.scheme=Sparse(eps: Above(0.05)): error: eps splits synapses by their p, and the network has no posterior
help: expected eps: Everything, or a posterior
"#,
    ),
    (
        "a network that forks before the first ensembling layer",
        &[
            Workload(
                r#"(name: "fc1", op: Linear(outputs: 2), relu: false, activation_bits: 2),"#,
                r#"(name: "fc1", op: Linear(outputs: 8), activation_bits: 2), (name: "fc2", op: Linear(outputs: 2), inputs: ["conv1"], activation_bits: 2),"#,
            ),
            Workload("[0.5, 0.5]", "[0.5, 0.5, 0.5]"),
            Set(r#"mapping.scheme=Sparse(first_ensembling_layer: Layer("fc1"))"#),
        ],
        r#"network.ron:8:16: error: expected one layer that no other reads (the logits), found 2: fc1, fc2
8 |         (name: "fc1", op: Linear(outputs: 8), activation_bits: 2), (name: "fc2", op: Linear(outputs: 2), inputs: ["conv1"], activation_bits: 2),
  |                ^^^^^
"#,
    ),
    (
        "stochastic columns that hold half a synapse",
        &[Set(r#"arch.stochastic.columns=17"#)],
        r#"--set arch.stochastic.columns=17: error: columns is 17; expected a multiple of cells_per_synapse (2)
"#,
    ),
    (
        "stochastic columns that their converters do not divide",
        &[Set(r#"arch.stochastic.columns=24"#)],
        r#"--set arch.stochastic.columns=24: error: columns_per_adc is 8; expected a divisor of the 12 pairs of an array
help: the nearest is 6: set stochastic.columns_per_adc
"#,
    ),
    (
        "stochastic columns that one converter serves",
        &[Set(r#"arch.stochastic.columns=8"#)],
        r#"no problem
"#,
    ),
    (
        "stochastic columns that no converter reads",
        &[Set(r#"arch.stochastic.columns=24"#), Set(r#"arch.stochastic.readout=SenseAmplifiers(sub_arrays: 4)"#)],
        r#"no problem
"#,
    ),
    (
        "stochastic columns that comparators read",
        &[Set(r#"arch.stochastic.columns=24"#), Set(r#"arch.sampler=Comparator(noise_rows: 16)"#)],
        r#"no problem
"#,
    ),
    (
        "columns per stochastic converter",
        &[Set(r#"arch.stochastic.columns_per_adc=7"#)],
        r#"--set arch.stochastic.columns_per_adc=7: error: columns_per_adc is 7; expected a divisor of the 64 pairs of an array
help: the nearest is 8
"#,
    ),
    (
        "a resolution of stochastic converters without a cost",
        &[Set(r#"arch.stochastic.adc_bits=13"#)],
        r#"--set arch.stochastic.adc_bits=13: error: cost table "neurosim_22nm" has no converter of 13 bits; expected one of 4, 5, 6, 7, 8, 9, 10
"#,
    ),
    (
        "a resolution of both without a cost",
        &[Set(r#"arch.adc.bits=13"#), Set(r#"arch.stochastic.rows=64"#)],
        r#"--set arch.adc.bits=13: error: cost table "neurosim_22nm" has no converter of 13 bits; expected one of 4, 5, 6, 7, 8, 9, 10
"#,
    ),
    (
        "sub-arrays of stochastic arrays",
        &[Set(r#"arch.stochastic.readout=SenseAmplifiers(sub_arrays: 3)"#)],
        r#"--set arch.stochastic.readout=SenseAmplifiers(sub_arrays: 3): error: sub_arrays is 3; expected a divisor of the 128 rows of an array
"#,
    ),
    (
        "stochastic rows that the chip's sub-arrays do not divide",
        &[Set(r#"arch.array.readout=SenseAmplifiers(sub_arrays: 64)"#), Set(r#"arch.stochastic.rows=32"#)],
        r#"--set arch.stochastic.rows=32: error: sub_arrays is 64; expected a divisor of the 32 rows of an array
"#,
    ),
    (
        "stochastic rows that comparators share",
        &[Set(r#"arch.sampler=Comparator(noise_rows: 16, sub_arrays: 64)"#), Set(r#"arch.stochastic.rows=32"#)],
        r#"--set arch.sampler=Comparator(noise_rows: 16, sub_arrays: 64): error: sub_arrays is 64; expected a divisor of the 32 rows of an array
"#,
    ),
    (
        "too many stochastic rows",
        &[Set(r#"arch.stochastic.rows=8192"#)],
        r#"--set arch.stochastic.rows=8192: error: rows is 8192; expected 1..=4096
"#,
    ),
    (
        "a stochastic key that is misspelt",
        &[Arch("accumulator:", "stochastic: (colums: 16), accumulator:")],
        r#"chip.ron:26:18: error: unknown key "colums" of stochastic; expected one of rows, columns, read_time, readout, adc_bits, columns_per_adc, adc_range, gather_banks, draw_fixed_pairs
26 |     stochastic: (colums: 16), accumulator: (depth: 2),
   |                  ^^^^^^
help: did you mean "columns"?
"#,
    ),
    (
        "a stochastic range of nothing",
        &[Set(r#"arch.stochastic.adc_range=Fixed(0)"#)],
        r#"--set arch.stochastic.adc_range=Fixed(0): error: adc_range is 0; expected 0.5..=1000000000
"#,
    ),
    // Found when the network is placed on the chip.
    (
        "more copies than output positions",
        &[Set(r#"mapping.replication=[("conv1", 5)]"#)],
        r#"--set mapping.replication=[("conv1", 5)]: error: 5 copies of layer "conv1"; expected 1..=4 (its output positions)
"#,
    ),
    (
        "a row of the input exceeds the global buffer",
        &[Arch(r#"global_buffer: (capacity: "1 MiB""#, r#"global_buffer: (capacity: "2 B""#)],
        r#"chip.ron:34:31: error: the global buffer holds 2 B; a message with logits has 8 B
34 |     global_buffer: (capacity: "2 B", bytes_per_cycle: 64),
   |                               ^^^^^
help: expected at least 8 B
chip.ron:34:31: error: the global buffer holds 2 B; a row of the input has 3 B
34 |     global_buffer: (capacity: "2 B", bytes_per_cycle: 64),
   |                               ^^^^^
help: expected at least 3 B
"#,
    ),
    (
        "a message exceeds an output buffer",
        &[
            Workload("Conv(channels: 2,", "Conv(channels: 5,"),
            Arch(r#"output_buffer: (capacity: "8 KiB""#, r#"output_buffer: (capacity: "1 B""#),
        ],
        r#"chip.ron:31:35: error: the output buffer of layer "conv1" holds 1 B; a message to layer "fc1" has 2 B
31 |         output_buffer: (capacity: "1 B", bytes_per_cycle: 64),
   |                                   ^^^^^
help: expected at least 2 B
chip.ron:31:35: error: the output buffer of layer "fc1" holds 1 B; a message with logits has 8 B
31 |         output_buffer: (capacity: "1 B", bytes_per_cycle: 64),
   |                                   ^^^^^
help: expected at least 8 B
"#,
    ),
    (
        "an input buffer cannot hold a map",
        &[
            Arch(r#"input_buffer: (capacity: "128 KiB""#, r#"input_buffer: (capacity: "8 B""#),
            Set("mapping.scheme=Dense"),
        ],
        r#"chip.ron:30:34: error: the input buffer of layer "conv1" holds 8 B; in schedule layer it must hold its whole input, 9 B
30 |         input_buffer: (capacity: "8 B", bytes_per_cycle: 64),
   |                                  ^^^^^
help: expected at least 9 B
"#,
    ),
    (
        "an input buffer could hold the rows of a window",
        &[
            Arch(r#"input_buffer: (capacity: "128 KiB""#, r#"input_buffer: (capacity: "8 B""#),
            Set("ensemble.members=1"),
        ],
        r#"chip.ron:30:34: error: the input buffer of layer "conv1" holds 8 B; in schedule layer it must hold its whole input, 9 B
30 |         input_buffer: (capacity: "8 B", bytes_per_cycle: 64),
   |                                  ^^^^^
help: expected at least 9 B, or schedule.mode=streaming
"#,
    ),
    (
        "an input buffer cannot hold the rows of a window",
        &[
            Arch(r#"input_buffer: (capacity: "128 KiB""#, r#"input_buffer: (capacity: "5 B""#),
            Set("ensemble.members=1"),
            Set("schedule.mode=streaming"),
        ],
        r#"chip.ron:30:34: error: the input buffer of layer "conv1" holds 5 B; in schedule streaming it must hold all that has come when a window is whole, 6 B
30 |         input_buffer: (capacity: "5 B", bytes_per_cycle: 64),
   |                                  ^^^^^
help: expected at least 6 B
"#,
    ),
];

/// A built-in file's text after some replacements, each of which must find its text.
fn edited<'a>(path: &str, edits: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = embedded::at(path).unwrap().text.to_owned();
    for (from, to) in edits {
        assert!(text.contains(from), "{path} does not hold {from}");
        text = text.replacen(from, to, 1);
    }
    text
}

/// What is said of the edited files; `chip.ron`, `parts/neurosim_22nm.ron` and `network.ron` are their names.
fn answer(edits: &[Edit]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        Some(path.display().to_string())
    };
    let mut request = LoadRequest::default();
    let arch = edits.iter().filter_map(|e| if let Arch(from, to) = e { Some((*from, *to)) } else { None });
    request.arch = write("chip.ron", edited("arch/pcm_128.ron", arch));
    let workload = edits.iter().filter_map(|e| if let Workload(from, to) = e { Some((*from, *to)) } else { None });
    request.workload = write("network.ron", edited("workloads/toy_two_layers.ron", workload));
    let parts = edits.iter().filter_map(|e| if let Parts(from, to) = e { Some((*from, *to)) } else { None });
    let table = edits.iter().find_map(|e| if let Table(text) = e { Some((*text).to_owned()) } else { None });
    let table = table.unwrap_or_else(|| edited("arch/parts/neurosim_22nm.ron", parts));
    write("parts/neurosim_22nm.ron", table);
    request.set =
        edits.iter().filter_map(|e| if let Set(text) = e { Some((*text).to_owned()) } else { None }).collect();
    let planned = load(&request).and_then(|loaded| {
        planned(&loaded.config, &loaded.workload_base).map_err(|error| match error {
            Error::Problems(problems) => loaded.locate(problems),
            other => panic!("{other}"),
        })
    });
    match planned {
        Ok(_) => "no problem\n".to_owned(),
        Err(errors) => relative(folder.path(), &errors.render(false)),
    }
}

/// An answer without the folder of its files.
fn relative(folder: &Path, answer: &str) -> String {
    answer.replace(&format!("{}{}", folder.display(), std::path::MAIN_SEPARATOR), "")
}

#[test]
fn each_kind_of_mistake_has_its_message() {
    let mut wrong = Vec::new();
    for (name, edits, expected) in CASES {
        let found = answer(edits);
        if found != *expected {
            wrong.push(format!("== {name}: expected\n{expected}-- found\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn there_are_at_least_thirty_kinds() {
    assert!(CASES.len() >= 30, "{}", CASES.len());
    assert_eq!(answer(&[]), "no problem\n");
}

#[test]
fn all_problems_of_all_files_are_found_at_once() {
    let edits = [
        Arch("rows: 128,", "row: 128,"),
        Arch("\"10 ns\"", "\"10 nm\""),
        Arch("Mesh(", "Torus("),
        Parts("accuracy: \"almost certainly optimistic\"", "accuracy: \"\""),
        Workload("\"fc1\"", "\"conv1\""),
        Workload("kernel: 2,", "kernel: 7,"),
        Workload("[0.5, 0.5]", "[0.5, 2]"),
        Set("schedule.mode=sequental"),
        Set("ensemble.members=0"),
    ];
    let found = answer(&edits);
    let first_lines: Vec<&str> = found.lines().filter(|line| line.contains(": error: ")).collect();
    assert_eq!(
        first_lines,
        [
            "chip.ron:9:9: error: unknown key \"row\" of array; expected one of rows, columns, cells_per_synapse, \
             read_voltage, conductance_on, conductance_off, read_time, sample_and_hold, read_start, held_bitlines, readout",
            "chip.ron:15:20: error: read_time: unknown time unit \"nm\"; expected one of ps, ns, us, ms, s",
            "chip.ron:33:19: error: unknown variant \"Torus\" of interconnect; expected one of Bus, Mesh, HTree",
            "network.ron:7:55: error: a kernel of 7x7 does not fit an input of 1x3x3 with padding 0",
            "network.ron:8:16: error: duplicate layer name \"conv1\"; layer 0 has it already",
            "network.ron:10:56: error: probabilistic[1] is 2; expected 0..=1",
            "--set schedule.mode=sequental: error: unknown variant \"sequental\" of mode; expected one of Sequential, \
             Layer, Streaming",
            "--set ensemble.members=0: error: members is 0; expected 1..=10000",
            "parts/neurosim_22nm.ron:87:19: error: accuracy: the text is empty",
        ]
    );
}

#[test]
fn colour_is_only_added_when_asked_for() {
    let request = LoadRequest { set: vec!["seed=x".to_owned()], ..LoadRequest::default() };
    let errors = load(&request).unwrap_err();
    assert_eq!(
        errors.render(true),
        "\u{1b}[1m--set seed=x\u{1b}[0m: \u{1b}[1;31merror:\u{1b}[0m seed: expected a whole number, found the text \"x\"\n"
    );
    assert_eq!(errors.to_string(), "--set seed=x: error: seed: expected a whole number, found the text \"x\"");
    assert_eq!(crossbayes::Error::from(errors).exit_code(), 2);
}

/// What is said of one file with these bytes.
fn checked(name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    match check_files(&[path], &check_described) {
        Ok(kinds) => format!("{}\n", kinds[0].1.name()),
        Err(errors) => relative(folder.path(), &errors.render(false)),
    }
}

#[test]
fn the_kind_of_a_file_follows_from_its_keys() {
    let text = |path: &str| embedded::at(path).unwrap().text.as_bytes();
    assert_eq!(checked("a.ron", text("arch/pcm_128.ron")), "arch\n");
    assert_eq!(checked("a.ron", text("arch/parts/survey_22nm.ron")), "parts\n");
    assert_eq!(checked("a.ron", text("workloads/vgg_binaryconnect.ron")), "workload\n");
    let config = load(&LoadRequest::default()).unwrap().portable_config();
    assert_eq!(checked("a.ron", crossbayes::config::to_ron(&config).as_bytes()), "run\n");
    assert_eq!(
        checked("a.ron", b"(colour: 3)"),
        "a.ron:1:1: error: the keys tell no kind of file; expected those of one of: chip (clock, costs, ..), cost table (cell, \
         wordline, ..), memory cell (conductance_max, reference_time, ..), network (input, layers, ..), expanded configuration (arch, workload, ..), \
         sweep (axes, conditions, ..)\n\
         1 | (colour: 3)\n  | ^^^^^^^^^^^\n"
    );
}

#[test]
fn files_that_cannot_be_read_are_named() {
    assert_eq!(checked("a.ron", b""), "a.ron:1:1: error: expected a value, found the end of the file\n1 | \n  | ^\n");
    assert_eq!(checked("a.ron", b"(a: \"\xff\")"), "a.ron: error: is not UTF-8 text: byte 6 is none\n");
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.ron");
    let errors = load_expanded(&missing, &[]).unwrap_err();
    let found = relative(folder.path(), &errors.to_string());
    assert!(found.starts_with("none.ron: error: cannot be read: "), "{found}");
    let request = LoadRequest { arch: Some("pmc_128".to_owned()), ..LoadRequest::default() };
    assert_eq!(
        load(&request).unwrap_err().to_string(),
        "pmc_128: error: there is no such file, and none of that name is built in (ideal_periphery, pcm_128, pcm_128_narrow, pcm_128_rowserial, pcm_256, \
         toy_2x2)\nhelp: did you mean pcm_128?"
    );
}

/// The answer has a bounded size, and the number of problems in it is right, whatever the size of the file.
#[test]
fn very_many_problems_are_counted_and_a_long_line_is_cut() {
    let number = 100_000;
    let keys: Vec<String> = (0..number).map(|i| format!("k{i}: 1")).collect();
    let found = checked("a.ron", format!("(clock: \"1 GHz\", {})", keys.join(", ")).as_bytes());
    let errors = found.lines().filter(|line| line.contains(": error: ")).count();
    // Each unknown key, and the keys that are missing in one message.
    assert!(
        found.ends_with(&format!("and {} more problems\n", number + 1 - errors)),
        "{}",
        &found[found.len() - 100..]
    );
    assert_eq!(errors, 100);
    assert!(found.len() < 100_000, "{}", found.len());
    let last = &found[found.rfind("unknown key").unwrap()..];
    let (line, marks) = (last.lines().nth(1).unwrap(), last.lines().nth(2).unwrap());
    assert!(line.starts_with("1 | ... ") && line.ends_with(" ...") && line.chars().count() < 260, "{line}");
    assert_eq!(&line[marks.find('^').unwrap()..marks.len()], "k99");
}

#[test]
fn long_names_are_cut() {
    let long = "z".repeat(1_000_000);
    let network = format!("(name: \"x\", layers: [(name: \"{long}\"), (name: \"{long}\", {long}: 1, op: {long})])");
    for text in [network, format!("(clock: \"5 {long}\", array: {long}, {long}: 1)")] {
        let found = checked("a.ron", text.as_bytes());
        assert!(found.len() < 20_000, "{}", found.len());
    }
}

#[test]
fn nothing_in_a_file_moves_the_cursor() {
    let text = embedded::at("workloads/toy_two_layers.ron").unwrap().text;
    let text = text.replace("\"fc1\"", "\"\u{202e}fc1\"").replace("name: \"toy_two_layers\"", "name: \"\\u{1b}[2J\"");
    assert_eq!(
        checked("a.ron", text.as_bytes()),
        "a.ron:3:11: error: name: the text holds the control character \\u{1b}\n\
         3 |     name: \"\\u{1b}[2J\",\n  |           ^^^^^^^^^^^\n\
         a.ron:8:16: error: name: the text holds the control character \\u{202e}\n\
         8 |         (name: \"\\u{202e}fc1\", op: Linear(outputs: 2), relu: false, activation_bits: 2),\n  \
         |                ^^^^^^^^^^^^^\n"
    );
}

/// Networks of many layers with something wrong in each, or in all together.
#[test]
fn problems_of_many_layers_are_summarised() {
    let number = 5_000;
    let layers = |layer: &dyn Fn(usize) -> String| {
        let layers: Vec<String> = (0..number).map(layer).collect();
        let head = "(name: \"deep\", input: (channels: 4, height: 1, width: 1, bits: 2)";
        checked("a.ron", format!("{head}, layers: [{}])", layers.join(", ")).as_bytes())
    };
    let layer = |name: &str, inputs: &str| {
        format!("(name: \"{name}\", inputs: [\"{inputs}\"], op: Linear(outputs: 4), activation_bits: 2)")
    };
    assert_eq!(
        layers(&|i| layer(&format!("fc{}", number - i), &format!("fc{}", number - i - 1)).replace("fc0", "input")),
        "workload\n"
    );
    let found = layers(&|i| layer(&format!("fc{i}"), &format!("gc{i}")));
    assert!(found.ends_with(&format!("and {} more problems\n", number - 100)), "{}", &found[found.len() - 100..]);
    let found = layers(&|_| layer("fc", "input"));
    assert!(found.ends_with(&format!("and {} more problems\n", number - 100)), "{}", &found[found.len() - 100..]);
    let found = layers(&|i| layer(&format!("fc{i}"), &format!("fc{}", (i + 1) % number)));
    assert!(found.contains("-> and 4980 more ->") && found.len() < 2000, "{found}");
    let found = layers(&|i| layer(&format!("fc{i}"), "input"));
    assert!(found.contains("found 5000: fc0, fc1, ") && found.len() < 2000, "{found}");
}

/// Reads any text as every kind of file; only a panic is a failure.
fn survive(text: &str) {
    use crossbayes::config::decode::decode;
    use crossbayes::config::diagnostic::{ConfigErrors, Diagnostics, SourceText, Sources};
    use crossbayes::config::{Chip, Config, CostTable, Workload, tree};
    let mut sources = Sources::default();
    sources.add(SourceText { name: "fuzz".to_owned(), text: text.to_owned(), is_override: false });
    let mut diagnostics = Diagnostics::default();
    match tree::read(text, 0) {
        Err(error) => diagnostics.push(|| error.into()),
        Ok(node) => {
            decode::<Chip>(&node, &mut diagnostics);
            decode::<CostTable>(&node, &mut diagnostics);
            decode::<Workload>(&node, &mut diagnostics);
            decode::<Config>(&node, &mut diagnostics);
        }
    }
    let _ = ConfigErrors::new(sources, diagnostics).render(true);
}

/// A good expanded configuration.
fn good() -> String {
    let request =
        LoadRequest { arch: Some("toy_2x2".to_owned()), workload: Some("toy_two_layers".to_owned()), set: Vec::new() };
    crossbayes::config::to_ron(&load(&request).unwrap().config)
}

proptest! {
    #[test]
    fn random_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        survive(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn random_marks_do_no_harm(text in "[()\\[\\]{}:,\"'\\\\/*#!rx0-9a-c.+_ \n\t-]{0,80}") {
        survive(&text);
    }

    #[test]
    fn random_edits_do_no_harm(
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), 0_usize..4, "[()\\[\\],:\"0-9a-z. -]{0,4}"), 1..6),
    ) {
        let mut text: Vec<char> = good().chars().collect();
        for (index, removed, added) in edits {
            let at = index.index(text.len());
            let end = (at + removed).min(text.len());
            text.splice(at..end, added.chars());
        }
        survive(&text.into_iter().collect::<String>());
    }

    /// The numbers are where products overflow: each one replaced by any other.
    #[test]
    fn random_numbers_do_no_harm(which in any::<proptest::sample::Index>(), number in any::<u64>(), shift in 0_u32..64) {
        let text = good();
        let starts: Vec<usize> = text
            .char_indices()
            .filter(|(i, c)| c.is_ascii_digit() && !text[..*i].ends_with(|c: char| c.is_ascii_digit()))
            .map(|(i, _)| i)
            .collect();
        let start = starts[which.index(starts.len())];
        let length = text[start..].find(|c: char| !c.is_ascii_digit()).unwrap();
        survive(&format!("{}{}{}", &text[..start], number >> shift, &text[start + length..]));
    }

    #[test]
    fn random_overrides_do_no_harm(key in "(arch|workload|mapping|seed)?[a-z_.\\[\\]0-9]{0,20}", value in "[(\\[\"a-z0-9 .:,)\\]]{0,12}") {
        let request = LoadRequest {
            arch: Some("toy_2x2".to_owned()),
            workload: Some("toy_two_layers".to_owned()),
            set: vec![format!("{key}={value}")],
        };
        if let Err(errors) = load(&request) {
            let _ = errors.render(false);
        }
    }
}

/// What is said about a driver whose digital-to-analogue converters the cost table does not have, and when nothing is.
#[test]
fn drivers_need_an_entry_in_the_cost_table() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.ron");
    let reported = |known: &[u32], bits_per_pulse: u32, serial: bool| {
        let mut config = load(&LoadRequest::default()).unwrap().config;
        config.arch.costs.dac.retain(|entry| known.contains(&entry.bits));
        config.arch.driver.bits_per_pulse = bits_per_pulse;
        if serial {
            config.arch.array.readout = ArrayReadout::SenseAmplifiers { sub_arrays: 1 };
        }
        std::fs::write(&file, to_ron(&config)).unwrap();
        load_expanded(&file, &[]).map_or_else(|errors| relative(folder.path(), &errors.to_string()), |_| String::new())
    };
    let found = reported(&[2, 4, 8], 3, false);
    assert!(
        found.contains(
            "error: cost table \"neurosim_22nm\" has no digital-to-analogue converter of 3 bits; expected 1 (none), or one \
             of 2, 4, 8"
        ),
        "{found}"
    );
    assert!(found.ends_with("help: the nearest is 2"), "{found}");
    assert!(reported(&[2, 4, 8], 7, false).ends_with("help: the nearest is 8"));
    let found = reported(&[], 2, false);
    let none = "bits_per_pulse is 2; cost table \"neurosim_22nm\" has no digital-to-analogue converters (dac)";
    assert!(found.contains(none) && found.ends_with("help: expected 1, or a table with an entry for them"), "{found}");
    // A driver of one bit has none, and arrays that are read row by row select rows.
    assert_eq!((reported(&[], 1, false), reported(&[], 2, true)), (String::new(), String::new()));
    // Tables of old have no key for them.
    let text = std::fs::read_to_string(&file).unwrap();
    let old = text.replace("            dac: [],\n", "");
    assert_ne!(old, text);
    std::fs::write(&file, old).unwrap();
    assert!(load_expanded(&file, &[]).unwrap().config.arch.costs.dac.is_empty());
}
