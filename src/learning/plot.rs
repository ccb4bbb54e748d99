//! The curve of precision and recall, drawn.

use linkage::evaluate::Point;
use plotters::prelude::{
    BLUE, ChartBuilder, Circle, Color, EmptyElement, IntoDrawingArea, IntoFont, LineSeries,
    PointSeries, RED, SVGBackend, WHITE,
};

/// Draws the curve as SVG: recall to the right, precision upwards, from 0.8 on or as far down as the matches, which are a point.
pub fn draw(curve: &[Point], matches: (f64, f64), title: &str) -> anyhow::Result<String> {
    let mut svg = String::new();
    let begin = |value: f64| (value * 10.0).floor().clamp(0.0, LEAST * 10.0) / 10.0;
    let (recall, precision) = (begin(matches.0), begin(matches.1));
    let wanted =
        curve.iter().filter(|point| point.precision >= precision && point.recall >= recall);
    {
        let area = SVGBackend::with_string(&mut svg, (800, 600)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 20).into_font())
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(56)
            .build_cartesian_2d(recall..1.0, precision..1.0)?;
        chart.configure_mesh().x_desc("recall").y_desc("precision").draw()?;
        let line = wanted.map(|point| (point.recall, point.precision));
        chart.draw_series(LineSeries::new(line, BLUE.stroke_width(2)))?;
        chart.draw_series(PointSeries::of_element(
            [matches],
            5,
            RED.filled(),
            &|at, size, style| EmptyElement::at(at) + Circle::new((0, 0), size, style),
        ))?;
        area.present()?;
    }
    Ok(svg)
}

/// Where the axes begin at the latest.
const LEAST: f64 = 0.8;
