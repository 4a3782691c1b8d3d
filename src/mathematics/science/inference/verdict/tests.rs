use super::super::contrast::{Side, Survivor};
use super::*;

/// Twenty differences about `mean` with standard deviation 0.1: half-width at 2 % 0.057.
fn about(mean: f64) -> Contrast {
    let values = (0..20).map(|i| mean + if i % 2 == 0 { 0.0975 } else { -0.0975 }).collect();
    Contrast::new(Side::of_one_cell(values).unwrap(), None).unwrap()
}

fn verdict(contrast: &Contrast, bound: Bound) -> Verdict {
    judge(contrast, bound, 0.02, 1, Failures::NONE).unwrap().verdict
}

#[test]
fn an_interval_is_on_one_side_or_undecided() {
    for (mean, above) in [(0.06, Verdict::Holds), (0.05, Verdict::Undecided), (-0.06, Verdict::Refuted)] {
        assert_eq!(verdict(&about(mean), Bound::Above(0.0)), above);
        assert_eq!(verdict(&about(-mean), Bound::Below(0.0)), above);
    }
    let between = Bound::Between(-0.1, 0.1);
    let expected = [(0.0, Verdict::Holds), (0.05, Verdict::Undecided), (0.2, Verdict::Refuted)];
    for (mean, within) in expected {
        assert_eq!(verdict(&about(mean), between), within);
        assert_eq!(verdict(&about(-mean), between), within);
    }
}

#[test]
fn of_several_parts_a_refutation_needs_a_stricter_level() {
    let of_parts = |mean, parts| judge(&about(mean), Bound::Above(0.0), 0.02, parts, Failures::NONE).unwrap().verdict;
    assert_eq!((of_parts(-0.06, 1), of_parts(-0.06, 4)), (Verdict::Refuted, Verdict::Undecided));
    assert_eq!((of_parts(0.06, 1), of_parts(0.06, 4)), (Verdict::Holds, Verdict::Holds));
}

#[test]
fn a_claim_holds_with_all_its_parts_and_falls_with_any() {
    use Verdict::{Holds, Refuted, Undecided};
    assert_eq!(combine(&[Holds, Holds]), Holds);
    assert_eq!(combine(&[Holds, Undecided]), Undecided);
    assert_eq!(combine(&[Undecided, Refuted, Holds]), Refuted);
    assert_eq!(combine(&[]), Undecided);
}

#[test]
fn where_a_run_failed_one_more_must_not_change_the_verdict() {
    let judged =
        |mean, n_failed, gap| judge(&about(mean), Bound::Above(0.0), 0.02, 1, Failures { n_failed, gap }).unwrap();
    let near = judged(0.06, 1, 0.4);
    assert_eq!((near.verdict, near.withdrawn_for_failures), (Verdict::Undecided, true));
    // Far enough from the bound; no run failed; a gap that is none.
    for judged in [judged(0.3, 1, 0.4), judged(0.06, 0, 0.4), judged(0.06, 1, 0.0)] {
        assert_eq!((judged.verdict, judged.withdrawn_for_failures), (Verdict::Holds, false));
    }
    let undecided = judged(0.0, 1, 0.4);
    assert_eq!((undecided.verdict, undecided.withdrawn_for_failures), (Verdict::Undecided, false));
}

#[test]
fn rules_that_picked_the_same_cell_are_undecided_whatever_the_bound() {
    let side = || Side::new(vec![Survivor { probability: 1.0, values: vec![0.8, 0.9, 0.7] }]).unwrap();
    let contrast = Contrast::new(side(), Some(side())).unwrap();
    for bound in [Bound::Above(-0.1), Bound::Below(-0.1), Bound::Between(-0.1, 0.1)] {
        let judged = judge(&contrast, bound, 0.02, 1, Failures::NONE).unwrap();
        assert!(judged.is_identical);
        assert_eq!((judged.verdict, judged.procedure.estimate), (Verdict::Undecided, 0.0));
    }
}

#[test]
fn one_run_is_no_judgement() {
    let contrast = Contrast::new(Side::of_one_cell(vec![0.8]).unwrap(), None).unwrap();
    assert_eq!(judge(&contrast, Bound::Above(0.0), 0.02, 1, Failures::NONE), None);
}
