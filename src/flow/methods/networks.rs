//! Networks in words, from what their trainings have in their keys.

use serde_json::Value;

use super::prose::{math, number, word};
use crate::words::grouped;

/// Widths of a chain: `784–170–130–100–70–10`.
pub(super) fn widths(layers: &[u64]) -> String {
    layers.iter().map(ToString::to_string).collect::<Vec<_>>().join("–")
}

/// σ.
pub(super) fn activation(parameters: &Value) -> String {
    match parameters["activation"].as_str().unwrap_or_default() {
        "softplus" => {
            let beta = number(parameters["beta"].as_f64().unwrap_or_default());
            let formula = math("ln(1 + exp(βz)) / β", r"\ln(1 + \exp(\beta z)) / \beta");
            let beta = math(&format!("β = {beta}"), &format!(r"\beta = {beta}"));
            format!("softplus, {formula} with {beta}")
        }
        "tanh" => "tanh".to_owned(),
        "relu" => math("max(0, z)", r"\max(0, z)"),
        "sigmoid" => math("1 / (1 + exp(−z))", r"1 / (1 + \exp(-z))"),
        "linear" => "linear".to_owned(),
        other => format!("`{other}`"),
    }
}

/// The distribution of initial weights, `init` with `std` or the like under other names.
pub(super) fn initialisation(parameters: &Value, init: &str, std: &str) -> String {
    match parameters[init].as_str().unwrap_or_default() {
        "xavier" => format!(
            "uniform in {} (Glorot and Bengio, 2010)",
            math("±√(6 / (n_{ℓ-1} + n_ℓ))", r"\pm\sqrt{6 / (n_{\ell-1} + n_\ell)}")
        ),
        "kaiming" => format!("{} (He et al., 2015)", math("N(0, 2 / n_{ℓ-1})", r"\mathcal{N}(0, 2 / n_{\ell-1})")),
        "orthogonal" => "orthonormal rows or columns (Saxe et al., 2014)".to_owned(),
        "naive" => {
            let std = number(parameters[std].as_f64().unwrap_or_default());
            format!("normal with mean 0 and standard deviation {std}")
        }
        other => format!("`{other}`"),
    }
}

/// Where errors of hidden layers come from, as what follows "the errors of hidden layers came".
pub(super) fn feedback(parameters: &Value) -> String {
    let way = match parameters["feedback"].as_str().unwrap_or_default() {
        "symmetric" => "by backpropagation, through the transposed forward weights",
        "random" => "by feedback alignment, through random weights that stay fixed (Lillicrap et al., 2016)",
        "plastic" => "through feedback weights of their own, drawn as the forward weights are and learned",
        "kolen_pollack" => {
            "through feedback weights that the gradient moves as it moves the transposed forward weights and that decay as they \
             do (Kolen and Pollack, 1994)"
        }
        "sign_symmetric" => {
            "through feedback weights of one size with the signs of the transposed forward weights (Liao et al., 2016)"
        }
        "direct" => {
            "by direct feedback alignment, from the output to every layer through random weights that stay fixed (Nøkland, 2016)"
        }
        "broadcast" => "by node perturbation, as one number for all neurons: the change of the loss that noise makes",
        "none" => "from nowhere: only the output had any",
        "weight_mirror" => "through feedback weights that learn in phases of noise (Akrout et al., 2019)",
        "predictive_coding" => {
            "by predictive coding, errors settling with the activations that they correct (Whittington and Bogacz, 2017)"
        }
        "equilibrium_propagation" => {
            "by equilibrium propagation, activations settling without and with a nudge towards the label (Scellier and Bengio, \
             2017)"
        }
        other => return format!("by `{other}`"),
    };
    let numbers = parameters["pathway"].as_object().into_iter().flatten();
    let numbers: Vec<String> =
        numbers.map(|(name, value)| format!("{} {}", name.replace('_', " "), word(value))).collect();
    if numbers.is_empty() { way.to_owned() } else { format!("{way} [{}]", numbers.join(", ")) }
}

/// The output and the loss.
pub(super) fn output(parameters: &Value) -> &'static str {
    match parameters["loss"].as_str() {
        Some("squared_error") => {
            "the output was linear, and the loss half the squared distance to the label's one-hot vector"
        }
        _ => "the output was a softmax, and the loss the cross-entropy",
    }
}

/// The time of a recurrent network.
pub(super) fn time(parameters: &Value) -> String {
    let of = |name: &str| grouped(parameters[name].as_u64().unwrap_or_default());
    format!(
        "{} time steps, of which the first {} showed the image and the others no input",
        of("time_steps"),
        of("image_steps")
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::prose::plain;
    use super::*;

    #[test]
    fn the_numbers_of_a_network_are_those_of_its_key() {
        assert_eq!(widths(&[784, 40, 10]), "784–40–10");
        let softplus = activation(&json!({ "activation": "softplus", "beta": 10.0 }));
        assert_eq!(plain(&softplus), "softplus, ln(1 + exp(βz)) / β with β = 10");
        let naive = initialisation(&json!({ "init": "naive", "std": 0.01 }), "init", "std");
        assert_eq!(naive, "normal with mean 0 and standard deviation 0.01");
        let settled = feedback(&json!({ "feedback": "broadcast", "pathway": { "std": 0.001 } }));
        assert!(settled.ends_with("that noise makes [std 0.001]"), "{settled}");
    }
}
