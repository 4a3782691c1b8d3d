//! Whole figures, judged by what another program (usvg, a PNG decoder) reads out of them.

use proptest::prelude::*;
use resvg::usvg::tiny_skia_path::{PathSegment, Point};
use resvg::usvg::{Group, Node, Path, Rect, Text, Tree};

use super::*;

fn read(svg: &str) -> Tree {
    Tree::from_str(svg, &raster::options()).expect("a figure is well-formed SVG")
}

fn walk<'a>(group: &'a Group, visit: &mut impl FnMut(&'a Node)) {
    for node in group.children() {
        visit(node);
        if let Node::Group(group) = node {
            walk(group, visit);
        }
    }
}

fn texts(tree: &Tree) -> Vec<&Text> {
    let mut texts = Vec::new();
    walk(tree.root(), &mut |node| {
        if let Node::Text(text) = node {
            texts.push(&**text);
        }
    });
    texts
}

fn words(tree: &Tree) -> Vec<String> {
    texts(tree).iter().map(|text| text.chunks().iter().map(|chunk| chunk.text()).collect()).collect()
}

/// Where a text has ink, in the tree's pixels.
fn ink(text: &Text) -> Rect {
    text.flattened().abs_bounding_box()
}

fn curve(label: &str, style: SeriesStyle, mean: Vec<Option<f64>>) -> Series {
    let shifted = |by: f64| mean.iter().map(|value| value.map(|v| v + by * v.abs())).collect();
    let x = (0..mean.len()).map(|i| 250.0 * i as f64).collect();
    let band = Some((shifted(-0.05), shifted(0.05)));
    Series { label: label.to_string(), style, x, band, runs: Vec::new(), mean }
}

fn line_panel(series: Vec<Series>) -> LinePanel {
    let labels = ("Training samples".to_string(), "Validation accuracy".to_string());
    LinePanel { x_label: labels.0, y_label: labels.1, series, legend: true, ..LinePanel::default() }
}

fn figure(kinds: Vec<PanelKind>, columns: usize) -> Figure {
    let letter = |i: usize| char::from(b'a' + i as u8).to_string();
    let panels = kinds.into_iter().enumerate();
    let panels = panels.map(|(i, kind)| Panel { letter: Some(letter(i)), title: Some("10 layers".to_string()), kind });
    let caption = "Mean over 20 runs; shaded, 98 % bootstrap interval.".to_string();
    Figure { caption: Some(caption), columns, panels: panels.collect(), ..Figure::default() }
}

fn learning_curves() -> Figure {
    let rising = |rate: f64| (0..=20).map(|i| Some(0.9 - 0.8 * (-rate * f64::from(i)).exp())).collect();
    let series =
        vec![curve("BP", SeriesStyle::BASELINE, rising(0.1)), curve("BP+Oja", SeriesStyle::WITH_OJA, rising(0.4))];
    let chance = ReferenceLine { y: 0.1, label: "chance".to_string() };
    let panel = LinePanel { reference_lines: vec![chance], y_range: Some((0.0, 1.0)), ..line_panel(series) };
    figure(vec![PanelKind::Lines(panel.clone()), PanelKind::Lines(panel)], 2)
}

fn heat() -> HeatPanel {
    HeatPanel {
        x_label: "θ_{Oja}".to_string(),
        y_label: "θ_{gradient}".to_string(),
        x_values: vec![1e-4, 3e-4, 1e-3],
        y_values: vec![1e-3, 2e-3],
        cells: vec![vec![Some(0.25), Some(0.5), None], vec![Some(0.75), Some(f64::NAN), Some(1.0)]],
        errors: vec![vec![Some(0.01); 3]],
        colour_label: "Validation accuracy".to_string(),
        colour_range: Some((0.0, 1.0)),
        best: Some((1, 2)),
        missing_label: "diverged".to_string(),
    }
}

fn dots(labelled: bool) -> DotPanel {
    let rows = ["Symmetric (backpropagation)", "Random (feedback alignment)", "Direct"];
    let series = |label: &str, style, values: [f64; 3]| DotSeries {
        label: label.to_string(),
        style,
        values: vec![
            Some((values[0], Some((values[0] - 0.02, values[0] + 0.02)))),
            Some((values[1], None)),
            Some((values[2], Some((values[2] - 0.9, values[2] + 0.9)))).filter(|_| labelled),
        ],
    };
    DotPanel {
        x_label: "Accuracy".to_string(),
        x_range: Some((0.0, 1.0)),
        rows: rows.map(|row| if labelled { row.to_string() } else { String::new() }).to_vec(),
        series: vec![
            series("without", SeriesStyle::BASELINE, [0.9, 0.5, 0.4]),
            series("with", SeriesStyle::WITH_OJA, [0.9, 0.8, 0.7]),
        ],
        reference_lines: vec![ReferenceLine { y: 0.1, label: "chance".to_string() }],
    }
}

fn images() -> ImagePanel {
    let image = |shift: usize| Some((0..784).map(|i| ((i + shift) % 29) as f32).collect());
    let column = |head: &str| ImageColumn { head: head.to_string(), images: vec![image(0), image(5), None] };
    let group = |head: &str, heads: &[&str]| ImageGroup {
        head: head.to_string(),
        columns: heads.iter().map(|head| column(head)).collect(),
    };
    ImagePanel {
        row_heads: vec!["0".to_string(), "1".to_string(), "2".to_string()],
        groups: vec![group("Original", &[""]), group("BP", &["y₁", "y₂"]), group("BP+Oja", &["y₁", "y₂"])],
        size: (28, 28),
    }
}

fn one_of_each() -> Figure {
    let lines = learning_curves().panels.remove(0).kind;
    let dots = [true, false].map(|labelled| PanelKind::Dots(dots(labelled)));
    figure([lines, PanelKind::Heat(heat())].into_iter().chain(dots).chain([PanelKind::Images(images())]).collect(), 2)
}

/// Decoded RGB rows.
fn pixels(png: &[u8]) -> (png::Info<'static>, Vec<[u8; 3]>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("a PNG");
    let mut bytes = vec![0; reader.output_buffer_size().expect("fits into memory")];
    reader.next_frame(&mut bytes).expect("complete");
    (reader.info().clone(), bytes.chunks_exact(3).map(|rgb| [rgb[0], rgb[1], rgb[2]]).collect())
}

/// Labels of rows stand left of the dots, in one line with them; intervals end with the axis.
#[test]
fn rows_of_dots_stand_beside_their_labels_in_every_panel() {
    let figure = figure([true, false].map(|labelled| PanelKind::Dots(dots(labelled))).to_vec(), 2);
    let tree = read(&svg(&figure));
    let words = words(&tree);
    for once in ["Direct", "without", "with"] {
        assert_eq!(words.iter().filter(|word| *word == once).count(), 1, "{once}: {words:?}");
    }
    let label = texts(&tree).into_iter().find(|text| text.chunks()[0].text() == "Direct").map(ink).unwrap();
    let (mut marks, mut ends) = (Vec::new(), Vec::new());
    walk(tree.root(), &mut |node| {
        if let Node::Path(path) = node {
            let place = path.abs_bounding_box();
            if path.fill().is_some() && place.width() < 6.0 && (place.width() - place.height()).abs() < 0.1 {
                marks.push(place);
            }
            ends.push(place.right());
        }
    });
    // Three rows of two in the first panel, two in the second.
    assert_eq!(marks.len(), 10);
    let middle = |rect: &Rect| (rect.top() + rect.bottom()) / 2.0;
    assert_eq!(marks.iter().filter(|mark| (middle(mark) - middle(&label)).abs() < 5.0).count(), 2);
    assert!(marks.iter().all(|mark| mark.left() > label.right()));
    assert!(ends.iter().all(|end| *end <= tree.size().width()), "an interval beyond the axis is cut");
}

#[test]
fn a_figure_says_what_it_shows_to_those_who_do_not_see_it() {
    let mut figure = learning_curves();
    figure.panels[1].title = Some("at 10⁻³".to_string());
    let svg = svg(&figure);
    assert!(svg.contains("<title>Validation accuracy against training samples</title>"), "{svg}");
    let description =
        "<desc>a 10 layers: BP, BP+Oja. b at 10^−3: BP, BP+Oja. Mean over 20 runs; shaded, 98 % bootstrap";
    assert!(svg.contains(description), "{}", &svg[..600]);
}

#[test]
fn no_type_is_smaller_than_journals_print() {
    let mut figure = one_of_each();
    figure.caption = Some("Norm |y_{ℓ}| at 10⁻³.".to_string());
    let svg = svg(&figure);
    let sizes = svg.split("font-size=\"").skip(1).map(|rest| rest.split('"').next().unwrap().parse::<f64>().unwrap());
    let smallest = sizes.fold(f64::INFINITY, f64::min);
    assert!((5.0..7.0).contains(&smallest), "{smallest}");
}

#[test]
fn the_same_description_gives_the_same_bytes() {
    let (one, other) = (svg(&one_of_each()), svg(&one_of_each()));
    assert_eq!(one, other);
    assert_eq!(png(&one, 150.0).expect("drawn"), png(&other, 150.0).expect("drawn"));
}

#[test]
fn every_character_is_drawn_with_the_embedded_font_and_none_is_missing() {
    let tree = read(&svg(&one_of_each()));
    assert!(texts(&tree).len() > 40);
    for text in texts(&tree) {
        for glyph in text.layouted().iter().flat_map(|span| &span.positioned_glyphs) {
            assert_ne!(glyph.id.0, 0, "no glyph for {:?}", glyph.text);
        }
    }
}

#[test]
fn variables_are_drawn_in_italics() {
    let tree = read(&svg(&one_of_each()));
    let name_of = |glyph: &resvg::usvg::layout::PositionedGlyph| {
        tree.fontdb().face(glyph.font).map(|face| face.post_script_name.clone()).expect("a face of the database")
    };
    let glyphs = |text: &Text| -> Vec<(String, String)> {
        let glyphs = text.layouted().iter().flat_map(|span| span.positioned_glyphs.clone());
        glyphs.map(|glyph| (glyph.text.clone(), name_of(&glyph))).collect()
    };
    let variable = texts(&tree).into_iter().map(glyphs).find(|glyphs| glyphs.len() == 2 && glyphs[0].0 == "y");
    let pair = |text: &str, face: &str| (text.to_string(), face.to_string());
    assert_eq!(variable, Some(vec![pair("y", "Inter-Italic"), pair("1", "Inter-Regular")]));
}

#[test]
fn hostile_labels_arrive_as_they_were_written() {
    let mut figure = learning_curves();
    let hostile = "<&\">' ]]> <script>";
    figure.title = Some(hostile.to_string());
    figure.panels[0].title = Some(hostile.to_string());
    let found = words(&read(&svg(&figure)));
    assert_eq!(found.iter().filter(|text| *text == hostile).count(), 2, "{found:?}");
}

#[test]
fn panels_without_finite_data_say_so() {
    let nothing = curve("BP", SeriesStyle::BASELINE, vec![None, Some(f64::NAN), Some(f64::INFINITY)]);
    let negative = LinePanel {
        y_scale: Scale::Log,
        ..line_panel(vec![curve("BP", SeriesStyle::BASELINE, vec![Some(-1.0), Some(0.0)])])
    };
    let blank = HeatPanel { cells: vec![vec![None; 3]; 2], colour_range: None, ..heat() };
    let kinds = [
        PanelKind::Lines(line_panel(vec![nothing])),
        PanelKind::Lines(line_panel(Vec::new())),
        PanelKind::Lines(negative),
        PanelKind::Heat(blank),
        PanelKind::Heat(HeatPanel { x_values: Vec::new(), y_values: Vec::new(), cells: Vec::new(), ..heat() }),
    ];
    for kind in kinds {
        let found = words(&read(&svg(&figure(vec![kind], 1))));
        assert!(found.iter().any(|text| text == "no finite data"), "{found:?}");
    }
}

#[test]
fn degenerate_figures_are_drawn() {
    let empty_images = ImagePanel { row_heads: Vec::new(), groups: Vec::new(), size: (0, 0) };
    for figure in [
        Figure { columns: 0, ..Figure::default() },
        Figure { width_mm: f64::NAN, ..learning_curves() },
        Figure { width_mm: -5.0, columns: 7, ..learning_curves() },
        figure(vec![PanelKind::Images(empty_images)], 1),
    ] {
        png(&svg(&figure), 72.0).expect("drawn");
    }
    assert!(matches!(png("<svg", 72.0), Err(raster::FigureError::Parse(_))));
    assert!(matches!(png(&svg(&learning_curves()), 0.0), Err(raster::FigureError::Size { .. })));
    assert!(matches!(png(&svg(&learning_curves()), 1e9), Err(raster::FigureError::Size { .. })));
}

#[test]
fn the_picture_has_its_size_and_its_colours() {
    let (info, pixels) = pixels(&png(&svg(&learning_curves()), 300.0).expect("drawn"));
    assert_eq!(info.width, 2126, "180 mm at 300 dpi");
    assert_eq!(info.pixel_dims.map(|dims| dims.xppu), Some(11811), "300 dpi in pixels a metre");
    let width = info.width as usize;
    let count = |colour: [u8; 3], columns: std::ops::Range<usize>| {
        let row = |row: &[[u8; 3]]| row[columns.clone()].iter().filter(|pixel| **pixel == colour).count();
        pixels.chunks(width).map(row).sum::<usize>()
    };
    for half in [0..width / 2, width / 2..width] {
        // A curve of about 60 mm by 4 pixels, less its antialiased edges.
        assert!(count([0, 114, 178], half.clone()) > 1500, "blue curve");
        assert!(count([0, 0, 0], half.clone()) > 3000, "black curve, axes and text");
        // Blue at a fifth over white.
        assert!(count([204, 227, 240], half) > 1500, "shaded interval");
    }
    assert_eq!(pixels[0], [255, 255, 255]);
}

#[test]
fn a_tile_sheet_keeps_its_pixels_square_edged() {
    let (_, pixels) = pixels(&png(&svg(&figure(vec![PanelKind::Images(images())], 1)), 300.0).expect("drawn"));
    let greys: std::collections::BTreeSet<u8> =
        pixels.iter().filter(|[r, g, b]| r == g && g == b).map(|[r, _, _]| *r).collect();
    // 29 shades of the images; text, hairlines and heads add their antialiased edges, but interpolation adds all 256.
    let stretched = (0..29).map(|i| (255.0 * f64::from(i) / 28.0).round() as u8);
    assert!(stretched.clone().all(|shade| greys.contains(&shade)));
    let of_images = pixels.iter().filter(|[r, g, b]| r == g && g == b && stretched.clone().any(|shade| shade == *r));
    assert!(of_images.count() as f64 > 0.97 * pixels.len() as f64);
}

fn overlap(a: &Rect, b: &Rect) -> bool {
    // Boxes are those of outlines, to a tenth of a pixel at 96 dpi.
    a.left() + 0.1 < b.right() && b.left() + 0.1 < a.right() && a.top() + 0.1 < b.bottom() && b.top() + 0.1 < a.bottom()
}

/// Points along every stroke as thick as a curve's, at most a pixel apart.
fn points_on_curves(tree: &Tree) -> Vec<(f32, f32)> {
    let mut points = Vec::new();
    let mut sample = |path: &Path| {
        let Some(data) = path.data().clone().transform(path.abs_transform()) else { return };
        let mut last = Point::default();
        for segment in data.segments() {
            match segment {
                PathSegment::MoveTo(point) => last = point,
                PathSegment::LineTo(point) => {
                    let steps = ((point - last).length().ceil() as usize).max(1);
                    points.extend((0..=steps).map(|i| {
                        let t = i as f32 / steps as f32;
                        (last.x + t * (point.x - last.x), last.y + t * (point.y - last.y))
                    }));
                    last = point;
                }
                _ => {}
            }
        }
    };
    walk(tree.root(), &mut |node| match node {
        Node::Path(path)
            if path.stroke().is_some_and(|s| (s.width().get() - style::CURVE_WIDTH as f32).abs() < 0.01) =>
        {
            sample(path);
        }
        _ => {}
    });
    points
}

fn texts_are_apart_and_on_the_page(tree: &Tree) {
    let boxes: Vec<(String, Rect)> = words(tree).into_iter().zip(texts(tree).into_iter().map(ink)).collect();
    let (width, height) = (tree.size().width(), tree.size().height());
    for (i, (text, area)) in boxes.iter().enumerate() {
        let on_page = area.left() >= 0.0 && area.right() <= width && area.top() >= 0.0 && area.bottom() <= height;
        assert!(on_page, "{text:?} leaves the page: {area:?} of {width} × {height}");
        for (other, other_area) in &boxes[i + 1..] {
            assert!(!overlap(area, other_area), "{text:?} and {other:?} overlap: {area:?} {other_area:?}");
        }
    }
}

#[test]
fn nothing_overlaps_in_one_of_each() {
    texts_are_apart_and_on_the_page(&read(&svg(&one_of_each())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn whatever_the_data_labels_keep_clear_of_each_other_and_of_curves(
        magnitudes in prop::collection::vec(-9.0..13.0f64, 1..4),
        shape in prop::collection::vec(prop::option::weighted(0.9, 0.0..1.0f64), 21),
        n_series in 1usize..10,
        columns in 1usize..4,
    ) {
        let panel = |magnitude: &f64| {
            let series = |index: usize| {
                let mean = shape.iter().map(|v| v.map(|v| (v + index as f64) * 10f64.powf(*magnitude))).collect();
                curve(&format!("y_{{{index}}}"), SeriesStyle::Ordered { index, count: n_series }, mean)
            };
            PanelKind::Lines(line_panel((0..n_series).map(series).collect()))
        };
        let figure = figure(magnitudes.iter().map(panel).collect(), columns);
        let tree = read(&svg(&figure));
        texts_are_apart_and_on_the_page(&tree);
        let curves = points_on_curves(&tree);
        for text in texts(&tree) {
            let area = ink(text);
            let struck = curves.iter().find(|(x, y)| area.left() < *x && *x < area.right() && area.top() < *y && *y < area.bottom());
            prop_assert!(struck.is_none(), "{:?} is crossed at {struck:?}", text.chunks()[0].text());
        }
    }
}
