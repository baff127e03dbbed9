//! The model of meaning, for real, against figures computed elsewhere. Needs
//! the models (`MILU_MODELS`, or `.models/`).
//!
//! The vectors are those of the published float32 weights (SHA-256 53aa5117…),
//! computed in float64 by a separate program that follows Devlin et al. 2018
//! (BERT) with mean pooling and scaling to length one; the token ids are those
//! of Hugging Face `tokenizers` with the published `tokenizer.json`. The box
//! keeps word vectors as bytes, which moves a number by up to 0.003.

#![allow(clippy::unwrap_used)] // what the tests share is test code too

use std::path::PathBuf;
use std::sync::LazyLock;

use milu::speech::onbox::{EMBEDDING_WIDTH, Embedder};

static EMBEDDER: LazyLock<Embedder> = LazyLock::new(|| {
    let dir = std::env::var_os("MILU_MODELS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".models"), PathBuf::from);
    Embedder::load(&dir).expect("the models are fetched by `make test`, or named by MILU_MODELS")
});

fn likeness(one: &str, other: &str) -> f32 {
    let (one, other) = (EMBEDDER.embed(one).unwrap(), EMBEDDER.embed(other).unwrap());
    one.iter().zip(&other).map(|(a, b)| a * b).sum()
}

#[test]
fn vectors_are_those_of_the_published_weights() {
    for (text, first) in [
        ("What time do you open on Saturday?", [0.0383, -0.0512, -0.0263, 0.0058, -0.0144, 0.022]),
        ("E kú àárọ̀, ṣé ẹ wà?", [-0.0002, 0.0714, 0.0074, 0.008, -0.1404, 0.0187]),
    ] {
        let vector = EMBEDDER.embed(text).unwrap();
        assert_eq!(vector.len(), EMBEDDING_WIDTH);
        for (ours, theirs) in vector.iter().zip(first) {
            assert!((ours - theirs).abs() < 0.003, "{text}: {ours} for {theirs}");
        }
        let length: f32 = vector.iter().map(|n| n * n).sum();
        assert!((length - 1.0).abs() < 1e-4, "{text}: {length}");
    }
    let near = likeness("What time do you open on Saturday?", "When are you open at the weekend?");
    assert!((near - 0.9143).abs() < 0.005, "{near}");
}

#[test]
fn token_ids_are_those_of_the_published_tokenizer() {
    let cases: [(&str, &[i32]); 7] = [
        (
            "What's the price - N15,000 or ₦20,000?",
            &[101, 2054, 1005, 1055, 1996, 3976, 1011, 1050, 16068, 1010, 2199, 2030, 100, 1010, 2199, 1029, 102],
        ),
        ("E kú àárọ̀, ṣé ẹ wà?", &[101, 1041, 13970, 9779, 3217, 1010, 7367, 1041, 11333, 1029, 102]),
        (
            "Biko, kedu ụgwọ ọrụ gị?",
            &[101, 12170, 3683, 1010, 16135, 2226, 1057, 2290, 12155, 2030, 2226, 21025, 1029, 102],
        ),
        (
            "zero\u{200b}width, soft\u{ad}hyphen and nbsp\u{a0}here",
            &[101, 5717, 9148, 11927, 2232, 1010, 3730, 10536, 8458, 2368, 1998, 1050, 5910, 2361, 2182, 102],
        ),
        ("日本語 mixed中文word", &[101, 1864, 1876, 1950, 3816, 1746, 1861, 2773, 102]),
        ("İstanbul Straße ﬁ ½", &[101, 9960, 2358, 27807, 1984, 1092, 102]),
        ("", &[101, 102]),
    ];
    for (text, ids) in cases {
        assert_eq!(EMBEDDER.tokens(text).unwrap(), ids, "{text}");
    }
}

#[test]
fn a_text_longer_than_the_model_reads_is_cut_and_not_refused() {
    let long = "please ".repeat(5000);
    assert_eq!(EMBEDDER.tokens(&long).unwrap().len(), 256);
    assert_eq!(EMBEDDER.embed(&long).unwrap().len(), EMBEDDING_WIDTH);
}

#[test]
fn many_texts_together_get_the_vectors_that_each_gets_alone() {
    // More of one length than go through the model at once, and other lengths between.
    let texts: Vec<String> = (0..40)
        .map(
            |n| if n % 4 == 0 { "Where are you?".to_owned() } else { format!("What is the price of test number {n}?") },
        )
        .collect();
    let together = EMBEDDER.embed_all(&texts).unwrap();
    assert_eq!(together.len(), texts.len());
    for (text, vector) in texts.iter().zip(&together) {
        let alone = EMBEDDER.embed(text).unwrap();
        let worst = alone.iter().zip(vector).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-5, "{text}: {worst}");
    }
    assert!(EMBEDDER.embed_all(&[]).unwrap().is_empty());
}

#[test]
fn two_calls_may_ask_at_once_and_get_the_same_as_one() {
    let alone = EMBEDDER.embed("Do you take HMO?").unwrap();
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..3).map(|_| scope.spawn(|| EMBEDDER.embed("Do you take HMO?").unwrap())).collect();
        for vector in asked {
            assert_eq!(vector.join().unwrap(), alone);
        }
    });
}

#[test]
fn a_missing_or_damaged_model_is_refused_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let said = |dir: &std::path::Path| Embedder::load(dir).map(drop).unwrap_err().to_string();
    assert!(said(dir.path()).contains("all-MiniLM-L6-v2.onnx"));
    std::fs::write(dir.path().join("all-MiniLM-L6-v2.onnx"), b"\x08\x08garbage").unwrap();
    assert!(said(dir.path()).contains("all-MiniLM-L6-v2.onnx"));
}
