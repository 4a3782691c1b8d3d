//! Colours that survive colour blindness and a grey printer: Okabe and Ito's for categories, viridis for what is
//! ordered (Okabe & Ito 2008, "Color universal design"; van der Walt & Smith 2015).

/// An sRGB colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rgb(pub u8, pub u8, pub u8);

impl Rgb {
    pub(super) const WHITE: Self = Self(255, 255, 255);
    pub(super) const INK: Self = Self(0, 0, 0);
    pub(super) const GREY: Self = Self(110, 110, 110);

    pub(super) fn hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }

    /// So far on the way to another colour.
    pub(super) fn towards(self, other: Self, share: f64) -> Self {
        let mix = |a: u8, b: u8| (f64::from(a) + share * (f64::from(b) - f64::from(a))).round() as u8;
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }

    /// WCAG 2 relative luminance, 0 for black to 1 for white.
    pub(super) fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }

    /// Black or white, whichever reads better on this colour.
    pub(super) fn text_on_it(self) -> Self {
        // Equal WCAG contrast to black and to white lies at luminance √(1.05 · 0.05) − 0.05.
        if self.luminance() > 0.179 { Self::INK } else { Self::WHITE }
    }
}

/// A hue of Okabe and Ito's set; their yellow is left out, too light for a line on white.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hue {
    Black,
    Blue,
    Orange,
    Green,
    Vermilion,
    Purple,
    Sky,
}

impl Hue {
    fn rgb(self) -> Rgb {
        match self {
            Self::Black => Rgb(0, 0, 0),
            Self::Blue => Rgb(0, 114, 178),
            Self::Orange => Rgb(230, 159, 0),
            Self::Green => Rgb(0, 158, 115),
            Self::Vermilion => Rgb(213, 94, 0),
            Self::Purple => Rgb(204, 121, 167),
            Self::Sky => Rgb(86, 180, 233),
        }
    }
}

/// What a curve stands for, from which its colour and dashes follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeriesStyle {
    /// One of several conditions. A panel with more than two of them tells them apart by dashes, too.
    Category(Hue),
    /// One of an ordered sequence, such as layer `index` (from 0) of `count`.
    Ordered { index: usize, count: usize },
}

/// The styles of the paper's pairs of curves.
#[cfg(test)]
impl SeriesStyle {
    /// Backpropagation in the learning curves (Figures 1, 5 and 7 of the paper).
    pub(crate) const BASELINE: Self = Self::Category(Hue::Black);
    /// Backpropagation with Oja's rule in the learning curves.
    pub(crate) const WITH_OJA: Self = Self::Category(Hue::Blue);
    /// Backpropagation in the variance spectra (Figure 4).
    pub(crate) const SPECTRUM_BASELINE: Self = Self::Category(Hue::Blue);
    /// Backpropagation with Oja's rule in the variance spectra.
    pub(crate) const SPECTRUM_WITH_OJA: Self = Self::Category(Hue::Orange);
}

impl SeriesStyle {
    pub(super) fn rgb(self) -> Rgb {
        match self {
            Self::Category(hue) => hue.rgb(),
            // Beyond 0.76 viridis turns to yellow-greens that vanish on white paper.
            Self::Ordered { index, count } => {
                viridis(0.76 * index.min(count.max(1) - 1) as f64 / count.max(2).saturating_sub(1) as f64)
            }
        }
    }
}

/// The viridis map at `t` in 0 … 1, linear between eleven of its colours.
pub(super) fn viridis(t: f64) -> Rgb {
    const STOPS: [Rgb; 11] = [
        Rgb(68, 1, 84),
        Rgb(72, 36, 117),
        Rgb(65, 68, 135),
        Rgb(53, 95, 141),
        Rgb(42, 120, 142),
        Rgb(33, 145, 140),
        Rgb(34, 168, 132),
        Rgb(68, 191, 112),
        Rgb(122, 209, 81),
        Rgb(189, 223, 38),
        Rgb(253, 231, 37),
    ];
    let position = t.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let below = (position as usize).min(STOPS.len() - 2);
    STOPS[below].towards(STOPS[below + 1], position - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contrast_to_white(colour: Rgb) -> f64 {
        1.05 / (colour.luminance() + 0.05)
    }

    #[test]
    fn layers_grow_lighter_and_stay_visible_on_white() {
        for count in 1..=10 {
            let shades: Vec<Rgb> = (0..count).map(|index| SeriesStyle::Ordered { index, count }.rgb()).collect();
            assert!(shades.windows(2).all(|pair| pair[0].luminance() < pair[1].luminance()), "{shades:?}");
            assert!(shades.iter().all(|shade| contrast_to_white(*shade) > 1.9), "{shades:?}");
        }
    }

    #[test]
    fn the_papers_pairs_differ_in_grey() {
        for (a, b) in [
            (SeriesStyle::BASELINE, SeriesStyle::WITH_OJA),
            (SeriesStyle::SPECTRUM_BASELINE, SeriesStyle::SPECTRUM_WITH_OJA),
        ] {
            let (a, b) = (a.rgb().luminance(), b.rgb().luminance());
            assert!((a.max(b) + 0.05) / (a.min(b) + 0.05) > 2.0, "{a} {b}");
        }
    }

    #[test]
    fn text_on_every_colour_of_the_map_has_at_least_the_contrast_wcag_asks_of_small_text() {
        for step in 0..=100 {
            let fill = viridis(f64::from(step) / 100.0);
            let text = fill.text_on_it();
            let (a, b) = (fill.luminance(), text.luminance());
            assert!((a.max(b) + 0.05) / (a.min(b) + 0.05) >= 4.5);
        }
    }
}
