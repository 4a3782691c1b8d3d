//! What a sample of finite numbers says of the distribution behind it. Sums are taken in the order of the values.

/// Mean; NaN where there are no values.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sample variance, with n − 1, in the squared unit of the values; NaN for fewer than two.
pub fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (values.len() as f64 - 1.0)
}

/// The middle one of the values in ascending order, or the mean of the two in the middle; `None` where there are none.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// γ = m₃ / m₂^{3/2} from the central moments m_k = Σ (x_i − x̄)^k / n; NaN where all values are equal.
pub fn skewness(values: &[f64]) -> f64 {
    let m2 = moment(values, |d| d * d);
    moment(values, |d| d * d * d) / (m2 * m2.sqrt())
}

/// Whether normal approximations are no guide: |γ| > 1, or a coefficient of bimodality (γ² + 1) m₂² / m₄ beyond that of a
/// uniform distribution, 5/9 (R. Pfister et al., Good things peak in pairs, Front. Psychol. 4, 2013). Fewer than eight
/// values do not show it.
pub fn is_irregular(values: &[f64]) -> bool {
    const FEWEST: usize = 8;
    let m2 = moment(values, |d| d * d);
    if values.len() < FEWEST || m2 <= 0.0 {
        return false;
    }
    let (skewness, kurtosis) = (skewness(values), moment(values, |d| d * d * d * d) / (m2 * m2));
    skewness.abs() > 1.0 || (skewness * skewness + 1.0) / kurtosis > 5.0 / 9.0
}

/// Mean of a power of the distances from the mean.
fn moment(values: &[f64], power: fn(f64) -> f64) -> f64 {
    let mean = mean(values);
    values.iter().map(|x| power(x - mean)).sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_by_hand() {
        let values = [1.0, 1.0, 1.0, 5.0];
        assert_eq!((mean(&values), variance(&values)), (2.0, 4.0));
        // m₂ = 3, m₃ = 6.
        assert!((skewness(&values) - 6.0 / 27_f64.sqrt()).abs() < 1e-15);
        assert_eq!(median(values.to_vec()), Some(1.0));
        assert_eq!((median(vec![3.0, 1.0, 2.0]), median(Vec::new())), (Some(2.0), None));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn clusters_and_long_tails_are_irregular_and_a_bell_is_not() {
        let bell: Vec<f64> = (0..11)
            .flat_map(|x: i32| vec![f64::from(x); [1, 3, 7, 12, 17, 19][(5 - (x - 5).abs()) as usize]])
            .collect();
        assert!(!is_irregular(&bell));
        let clusters: Vec<f64> = (0..20).map(|i| f64::from(i % 2) + 0.01 * f64::from(i)).collect();
        assert!(is_irregular(&clusters));
        let tail: Vec<f64> = (0..20).map(|i| if i == 0 { 10.0 } else { 0.1 * f64::from(i) }).collect();
        assert!(is_irregular(&tail));
        assert!(!is_irregular(&clusters[..7]), "too few to show it");
        assert!(!is_irregular(&[0.5; 20]), "without any scatter there are no clusters");
    }
}
