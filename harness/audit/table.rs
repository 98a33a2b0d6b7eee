//! The answers as Markdown and as HTML, with the evidence of each.

use super::answers::{Answers, Cell};
use super::{Audit, Row};
use halfway_protocol::io::Op;
use std::fmt::Write;

/// The questions, in the order of the table's columns.
const QUESTIONS: [&str; 4] = [
    "vector preserved",
    "iterator",
    "partial completion",
    "error class survives",
];

fn cells(answers: &Answers) -> [&Cell; 4] {
    [
        &answers.vector,
        &answers.iterator,
        &answers.partial,
        &answers.class,
    ]
}

fn op(row: &Row) -> &'static str {
    match row.op {
        Op::Write => "write",
        _ => "read",
    }
}

/// How the audit is done, for the reader of the table.
fn preface(audit: &Audit) -> String {
    format!(
        "What each driver leaves in a bio that it failed: a direct I/O of 512 sectors into 64 \
         pages that do not touch, of which one sector in the middle cannot be had. Linux {}, {}.",
        audit.release, audit.qemu
    )
}

/// The audit as Markdown: the table, and below it the evidence for each row.
pub fn markdown(audit: &Audit) -> String {
    let mut out = String::from("# The audit\n\n<!-- made by `halfway audit` -->\n\n");
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{}\n", preface(audit));
    let _ = writeln!(out, "| driver | on | op | {} |", QUESTIONS.join(" | "));
    let _ = writeln!(out, "|---|---|---|{}", "---|".repeat(QUESTIONS.len()));
    for row in &audit.rows {
        let answers = match &row.result {
            Ok(answers) => cells(answers).map(|cell| plain(&cell.answer)).join(" | "),
            Err(why) => format!("{} | | | ", plain(why)),
        };
        let (subject, beneath) = (plain(&row.subject), plain(&row.beneath));
        let _ = writeln!(out, "| {subject} | {beneath} | {} | {answers} |", op(row));
    }
    out.push_str("\n## Evidence\n");
    for row in &audit.rows {
        let Ok(answers) = &row.result else { continue };
        let _ = writeln!(out, "\n### {}, {}\n", row.subject, op(row));
        for (question, cell) in QUESTIONS.iter().zip(cells(answers)) {
            let _ = writeln!(out, "- {question}: {}", plain(&cell.answer));
            for line in &cell.evidence {
                let _ = writeln!(out, "  - `{line}`");
            }
        }
    }
    out
}

/// Replaces the characters that would end a cell of a Markdown table.
fn plain(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// The audit as an HTML page. The evidence for an answer unfolds below it.
pub fn html(audit: &Audit) -> String {
    let mut out = String::from(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>The audit</title>\n\
         <style>body{font-family:sans-serif}table{border-collapse:collapse}\
         td,th{border:1px solid #999;padding:.3em;text-align:left;vertical-align:top}\
         li{font-family:monospace}</style>\n<h1>The audit</h1>\n",
    );
    let _ = writeln!(out, "<p>{}</p>\n<table>", escaped(&preface(audit)));
    let heads = ["driver", "on", "op"].iter().chain(&QUESTIONS);
    let heads: String = heads.map(|head| format!("<th>{head}</th>")).collect();
    let _ = writeln!(out, "<tr>{heads}</tr>");
    for row in &audit.rows {
        let answers = match &row.result {
            Ok(answers) => cells(answers).map(opening).concat(),
            Err(why) => format!("<td colspan=\"{}\">{}</td>", QUESTIONS.len(), escaped(why)),
        };
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td>{answers}</tr>",
            escaped(&row.subject),
            escaped(&row.beneath),
            op(row)
        );
    }
    out.push_str("</table></html>\n");
    out
}

fn opening(cell: &Cell) -> String {
    let lines = cell.evidence.iter();
    let lines: String = lines
        .map(|line| format!("<li>{}</li>", escaped(line)))
        .collect();
    format!(
        "<td><details><summary>{}</summary><ul>{lines}</ul></details></td>",
        escaped(&cell.answer)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit() -> Audit {
        let cell = |answer: &str| Cell {
            answer: answer.to_owned(),
            evidence: vec!["block_bio_remap 8:0 R 0+8 <- 253:0 0".to_owned()],
        };
        let answers = Answers {
            vector: cell("preserved"),
            iterator: cell("at its end"),
            partial: cell("no"),
            class: cell("yes: A | B"),
        };
        let row = |subject: &str, op, result| Row {
            subject: subject.to_owned(),
            beneath: "nvme".to_owned(),
            op,
            result,
        };
        Audit {
            release: "6.1".to_owned(),
            qemu: "QEMU 7.2".to_owned(),
            rows: vec![
                row("dm-linear", Op::Read, Ok(answers)),
                row(
                    "dm-dust",
                    Op::Write,
                    Err("there is no such module".to_owned()),
                ),
            ],
        }
    }

    #[test]
    fn markdown_has_each_row_whole_and_its_evidence() {
        let text = markdown(&audit());
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("| dm"))
            .collect();
        assert_eq!(
            rows,
            [
                "| dm-linear | nvme | read | preserved | at its end | no | yes: A \\| B |",
                "| dm-dust | nvme | write | there is no such module | | |  |",
            ]
        );
        assert_eq!(text.matches("<- 253:0").count(), 4);
        assert!(!text.contains("### dm-dust"));
    }

    #[test]
    fn html_is_escaped() {
        let text = html(&audit());
        assert!(text.contains("&lt;- 253:0 0") && !text.contains("<- 253"));
        assert!(text.contains("<td colspan=\"4\">there is no such module</td>"));
    }

    #[test]
    fn json_is_read_again_as_it_was() {
        let text = serde_json::to_string(&audit()).unwrap();
        assert_eq!(serde_json::from_str::<Audit>(&text).unwrap(), audit());
    }
}
