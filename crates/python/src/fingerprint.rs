//! What the package says of functions and classes of the user's, for [`Description`]s.

use pyo3::prelude::*;
use towpath_engine::Description;

/// Takes what the package says of a function or a class.
pub(crate) fn take_fingerprint(description: &mut Description, fingerprint: PyResult<Bound<'_, PyAny>>) {
    type Said = Vec<(String, String)>;
    type Read = (Option<(String, u32)>, Said, Said);
    let read = |fingerprint: Bound<'_, PyAny>| -> PyResult<Read> {
        Ok((
            fingerprint.getattr("place")?.extract()?,
            fingerprint.getattr("settings")?.extract()?,
            fingerprint.getattr("hints")?.extract()?,
        ))
    };
    match fingerprint.and_then(read) {
        Ok((place, settings, hints)) => {
            if let Some((file, line)) = place {
                description.at(&file, line);
            }
            settings.iter().for_each(|(label, text)| description.set(label, text));
            hints.iter().for_each(|(label, text)| description.hint(label, text));
        }
        // Text that is no text, such as half of a pair of surrogates. What cannot be told is not compared.
        Err(error) => tracing::debug!(target: "pathway", "a function cannot be described: {error}"),
    }
}
