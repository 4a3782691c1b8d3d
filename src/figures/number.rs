//! Numbers as journals print them: 1,000, −0.5, 10⁻³, 2×10⁶.

/// Superscript digits and minus; [`super::text`] sets them as raised ordinary ones.
fn superscript(exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    exponent.to_string().chars().map(|c| c.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize])).collect()
}

/// 10ⁿ.
pub(super) fn power_of_ten(exponent: i32) -> String {
    format!("10{}", superscript(exponent))
}

/// With a fixed number of decimals, commas between thousands (from 1,000 on) and a real minus.
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut text = String::new();
    if value < 0.0 && digits.bytes().any(|b| b.is_ascii_digit() && b != b'0') {
        text.push('−');
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

/// m×10ⁿ with `decimals` in m; 10ⁿ alone where m is 1.
fn scientific(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$e}");
    let (mantissa, exponent) = text.split_once('e').expect("`{:e}` writes an e");
    let power = power_of_ten(exponent.parse().expect("`{:e}` writes a decimal exponent"));
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    match mantissa.replace('-', "−").as_str() {
        "0" => "0".to_string(),
        "1" => power,
        "−1" => format!("−{power}"),
        mantissa => format!("{mantissa}×{power}"),
    }
}

/// Labels of one axis whose values are multiples of `step`: as many decimals as the step needs, or all in powers of
/// ten where plain digits would be long (a million and more, steps under 1e-4).
pub(super) fn multiples(values: &[f64], step: f64) -> Vec<String> {
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let exponent = |v: f64| v.abs().log10().floor();
    if largest >= 1e6 || step < 1e-4 {
        let digits = (exponent(largest.max(step)) - exponent(step)).clamp(0.0, 8.0) as usize;
        return values.iter().map(|value| scientific(*value, digits)).collect();
    }
    let decimals = (0..4).find(|&d| is_whole(step * 10f64.powi(d))).unwrap_or(4) as usize;
    values.iter().map(|value| fixed(*value, decimals)).collect()
}

/// Labels of swept parameters, which follow no step: all plain where that takes at most three decimals, else all in
/// powers of ten.
pub(super) fn coefficients(values: &[f64]) -> Vec<String> {
    let decimals = |value: f64| (0..=3).find(|&d| is_whole(value * 10f64.powi(d)));
    let plain = values.iter().all(|value| value.abs() < 1e4 && decimals(*value).is_some());
    let label = |value: &f64| match decimals(*value) {
        Some(decimals) if plain => fixed(*value, decimals as usize),
        _ => scientific(*value, 1),
    };
    values.iter().map(label).collect()
}

/// A value read off a scale that spans `span`, to three digits of the span.
pub(super) fn reading(value: f64, span: f64) -> String {
    let size = value.abs().max(span);
    if size >= 1e4 || (size < 1e-2 && size > 0.0) {
        return scientific(value, 1);
    }
    fixed(value, (2.0 - size.log10().floor()).clamp(0.0, 3.0) as usize)
}

/// Whole but for the rounding of a product with a power of ten.
fn is_whole(value: f64) -> bool {
    (value - value.round()).abs() < 1e-9 * value.abs().max(1e-3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_decimals_and_signs() {
        let cases = [(0.0, 0, "0"), (-0.0, 1, "0.0"), (999.0, 0, "999"), (1000.0, 0, "1,000"), (-0.5, 1, "−0.5")];
        for (value, decimals, text) in cases {
            assert_eq!(fixed(value, decimals), text);
        }
        assert_eq!(fixed(1234567.891, 2), "1,234,567.89");
        assert_eq!(fixed(-0.001, 2), "0.00", "no minus before what rounds to zero");
    }

    #[test]
    fn one_axis_has_one_form() {
        assert_eq!(multiples(&[0.0, 0.25, 0.5], 0.25), ["0.00", "0.25", "0.50"]);
        assert_eq!(multiples(&[0.0, 2500.0, 5000.0], 2500.0), ["0", "2,500", "5,000"]);
        assert_eq!(multiples(&[0.0, 5e5, 1e6], 5e5), ["0", "5×10⁵", "10⁶"]);
        assert_eq!(multiples(&[-2e-6, 0.0, 2e-6], 2e-6), ["−2×10⁻⁶", "0", "2×10⁻⁶"]);
        assert_eq!(multiples(&[1.5e30, 2e30], 5e29), ["1.5×10³⁰", "2×10³⁰"]);
    }

    #[test]
    fn coefficients_are_plain_or_powers_together() {
        assert_eq!(coefficients(&[1e-3, 2e-3, 1.6e-2]), ["0.001", "0.002", "0.016"]);
        assert_eq!(coefficients(&[1e-4, 3e-4, 1e-3]), ["10⁻⁴", "3×10⁻⁴", "10⁻³"]);
    }

    #[test]
    fn readings_keep_three_digits() {
        assert_eq!(reading(0.9134, 0.9), "0.913");
        assert_eq!(reading(12.34, 50.0), "12.3");
        assert_eq!(reading(1.0e12, 1e12), "10¹²");
    }
}
