//! What the package says of functions and classes of the user's, for [`Description`]s.

use pyo3::prelude::*;
use towpath_engine::Description;
use towpath_types::Words;

/// What the package says of something of the user's.
pub(crate) fn words(fingerprint: &Bound<'_, PyAny>) -> PyResult<Words> {
    Ok(Words {
        name: fingerprint.getattr("name")?.extract()?,
        settings: fingerprint.getattr("settings")?.extract()?,
        hints: fingerprint.getattr("hints")?.extract()?,
    })
}

/// Takes what the package says of a function or a class.
pub(crate) fn take_fingerprint(description: &mut Description, fingerprint: PyResult<Bound<'_, PyAny>>) {
    let read = |fingerprint: Bound<'_, PyAny>| -> PyResult<_> {
        let place: Option<(String, u32)> = fingerprint.getattr("place")?.extract()?;
        Ok((place, words(&fingerprint)?))
    };
    match fingerprint.and_then(read) {
        Ok((place, words)) => {
            if let Some((file, line)) = place {
                description.at(&file, line);
            }
            description.set_words("", &words);
        }
        // Text that is no text, such as half of a pair of surrogates. What cannot be told is not compared.
        Err(error) => tracing::debug!(target: "pathway", "a function cannot be described: {error}"),
    }
}
