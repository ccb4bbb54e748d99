//! `rows load CHILDREN HELD AUTHORITY`, `rows feed CHILDREN HELD FROM COUNT`, `rows keys CHILDREN HELD FROM COUNT`: the children of
//! whom the index is made, what a feed sends, and the keys by which the same is asked, to standard output.

use std::{
    env,
    io::{self, BufWriter, Write},
};

use population::Feed;

fn main() -> io::Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let number = |n: usize| {
        let number = words.get(n).and_then(|word| word.parse::<u64>().ok());
        number.ok_or_else(|| io::Error::other(format!("word {} must be a number", n + 1)))
    };
    let out = &mut BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let mut feed = Feed::new(number(1)?, number(2)?, population::SEED);
    match words.first().map_or("", String::as_str) {
        "load" => feed.load(words.get(3).map_or("", String::as_str), out)?,
        "feed" => feed.rows(number(3)?, number(4)?, out)?,
        "keys" => feed.keys(number(3)?, number(4)?, out)?,
        other => return Err(io::Error::other(format!("there is no `{other}`"))),
    }
    out.flush()
}
