//! The curve of precision and recall, drawn.

use linkage::evaluate::Point;
use plotters::prelude::{
    BLUE, ChartBuilder, Circle, Color, EmptyElement, IntoDrawingArea, IntoFont, LineSeries,
    PointSeries, RED, SVGBackend, WHITE,
};

/// Draws the curve as SVG: recall to the right, precision upwards, from `least` on; the matches as a point.
pub fn draw(curve: &[Point], matches: (f64, f64), title: &str) -> anyhow::Result<String> {
    let mut svg = String::new();
    let wanted = curve.iter().filter(|point| point.precision >= LEAST && point.recall >= LEAST);
    {
        let area = SVGBackend::with_string(&mut svg, (800, 600)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 20).into_font())
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(56)
            .build_cartesian_2d(LEAST..1.0, LEAST..1.0)?;
        chart.configure_mesh().x_desc("recall").y_desc("precision").draw()?;
        let line = wanted.map(|point| (point.recall, point.precision));
        chart.draw_series(LineSeries::new(line, BLUE.stroke_width(2)))?;
        let point = (matches.0.max(LEAST), matches.1.max(LEAST));
        chart.draw_series(PointSeries::of_element(
            [point],
            5,
            RED.filled(),
            &|at, size, style| EmptyElement::at(at) + Circle::new((0, 0), size, style),
        ))?;
        area.present()?;
    }
    Ok(svg)
}

/// Where the axes begin.
const LEAST: f64 = 0.8;
