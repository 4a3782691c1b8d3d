// Eigen: the plain loop that a careful C++ programmer would write. Online steps that skip pixels which are 0 and update a
// matrix in one pass, an evaluation in batches by matrix products; single precision, W column-major, n_out x n_in, as Eigen
// has it by default: a column has the weights from one input.
//
// It answers the requests that `worker.py` describes.

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <Eigen/Dense>

using Matrix = Eigen::MatrixXf;
using Vector = Eigen::VectorXf;
using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Numbers = std::vector<float>;

[[noreturn]] static void fail(const std::string &why) {
  std::cerr << "Eigen: " << why << std::endl;
  std::exit(1);
}

template <typename T> static std::vector<T> read(const std::string &file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in) fail("cannot read " + file);
  std::vector<T> content(static_cast<size_t>(in.tellg()) / sizeof(T));
  in.seekg(0);
  in.read(reinterpret_cast<char *>(content.data()), static_cast<std::streamsize>(content.size() * sizeof(T)));
  return content;
}

// What `compare.py` wrote beside the exported files: images as they are trained on and tested, a row an image.
struct Samples {
  RowMajor x;
  std::vector<uint32_t> labels;

  explicit Samples(const std::string &name) {
    labels = read<uint32_t>(name + ".labels.u32");
    Numbers flat = read<float>(name + ".images.f32");
    const auto n = static_cast<Eigen::Index>(labels.size());
    x = Eigen::Map<RowMajor>(flat.data(), n, static_cast<Eigen::Index>(flat.size()) / n);
  }
};

struct Network {
  std::vector<Matrix> w;
  float beta;

  // Of seed 0; exported row-major.
  Network(const std::string &file, const std::vector<int> &sizes, float beta) : beta(beta) {
    Numbers flat = read<float>(file);
    float *next = flat.data();
    for (size_t layer = 1; layer < sizes.size(); ++layer) {
      w.emplace_back(Eigen::Map<RowMajor>(next, sizes[layer], sizes[layer - 1]));
      next += sizes[layer] * sizes[layer - 1];
    }
  }

  Numbers numbers() const {
    Numbers flat;
    for (const Matrix &m : w) {
      const RowMajor rows = m;
      flat.insert(flat.end(), rows.data(), rows.data() + rows.size());
    }
    return flat;
  }

  template <typename Z> auto softplus(const Z &z) const {
    return (z.array().max(0.0f) + (-beta * z.array().abs()).exp().log1p() / beta).matrix();
  }

  // Room for the signals of a sample is made once.
  struct Signals {
    std::vector<Vector> y, e, residual;

    explicit Signals(const Network &network) {
      y.emplace_back(network.w[0].cols());
      for (const Matrix &m : network.w) y.emplace_back(m.rows());
      e = residual = y;
    }
  };

  void step(Signals &s, const Samples &samples, Eigen::Index index, float gradient, float oja) {
    const size_t n_layers = w.size();
    auto &[y, e, residual] = s;
    y[0] = samples.x.row(index).transpose();
    for (size_t layer = 1; layer <= n_layers; ++layer) {
      if (layer == 1) {
        y[1].setZero();
        for (Eigen::Index j = 0; j < y[0].size(); ++j)
          if (y[0](j) != 0.0f) y[1] += y[0](j) * w[0].col(j);
      } else {
        y[layer].noalias() = w[layer - 1] * y[layer - 1];
      }
      if (layer < n_layers) y[layer] = softplus(y[layer]).eval();
    }
    Vector &p = y[n_layers];
    p = (p.array() - p.maxCoeff()).exp().matrix().eval();
    p /= p.sum();
    e[n_layers] = p;
    e[n_layers](samples.labels[static_cast<size_t>(index)]) -= 1.0f;
    for (size_t layer = n_layers; layer >= 1; --layer) {
      Matrix &m = w[layer - 1];
      const Vector &pre = y[layer - 1], &post = y[layer];
      // Errors go down and the residual is taken before w changes.
      if (layer > 1) {
        e[layer - 1].noalias() = m.transpose() * e[layer];
        e[layer - 1].array() *= 1.0f - (-beta * pre.array()).exp();
      }
      if (oja != 0.0f) {
        residual[layer - 1].noalias() = m.transpose() * post;
        residual[layer - 1] = pre - residual[layer - 1];
        for (Eigen::Index j = 0; j < pre.size(); ++j)
          m.col(j) += (oja * residual[layer - 1](j)) * post - (gradient * pre(j)) * e[layer];
      } else {
        for (Eigen::Index j = 0; j < pre.size(); ++j)
          if (pre(j) != 0.0f) m.col(j) -= (gradient * pre(j)) * e[layer];
      }
    }
  }

  // Accuracy and mean cross-entropy; images in batches whose activations stay in the caches.
  Numbers evaluate(const Samples &samples) const {
    const Eigen::Index n = samples.x.rows(), batch = 500;
    Eigen::Index correct = 0;
    double loss = 0.0;
    Matrix y, z;
    for (Eigen::Index first = 0; first < n; first += batch) {
      const Eigen::Index here = std::min(batch, n - first);
      y = samples.x.middleRows(first, here).transpose();
      for (size_t layer = 0; layer < w.size(); ++layer) {
        z.noalias() = w[layer] * y;
        if (layer + 1 < w.size()) y = softplus(z);
      }
      for (Eigen::Index k = 0; k < here; ++k) {
        const auto label = static_cast<Eigen::Index>(samples.labels[static_cast<size_t>(first + k)]);
        Eigen::Index best;
        const float max = z.col(k).maxCoeff(&best);
        correct += best == label;
        loss += std::log((z.col(k).array() - max).exp().sum()) - (z(label, k) - max);
      }
    }
    return {static_cast<float>(static_cast<double>(correct) / static_cast<double>(n)),
            static_cast<float>(loss / static_cast<double>(n))};
  }
};

using Work = std::function<std::function<Numbers()>()>;

// `eigen.txt`, which `compare.py` writes: a line a work, `WORK FILE_OF_WEIGHTS BETA GRADIENT OJA SIZES…`.
static std::map<std::string, Work> works(const std::string &folder) {
  static const Samples train(folder + "/train"), test(folder + "/test");
  std::map<std::string, Work> found;
  std::ifstream lines(folder + "/eigen.txt");
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name, file;
    float beta, gradient, oja;
    words >> name >> file >> beta >> gradient >> oja;
    std::vector<int> sizes;
    for (int size; words >> size;) sizes.push_back(size);
    const Network start(folder + "/" + file, sizes, beta);
    if (name.rfind("online", 0) == 0) {
      found[name] = [=] {
        Network network = start;
        Network::Signals signals(network);
        for (Eigen::Index k = 0; k < train.x.rows(); ++k) network.step(signals, train, k, gradient, oja);
        return [network = std::move(network)] { return network.numbers(); };
      };
    } else {
      found[name] = [=] {
        Numbers scores = start.evaluate(test);
        return [scores] { return scores; };
      };
    }
  }
  return found;
}

int main(int argc, char **argv) {
  if (argc != 2) fail("the only argument is the folder of the inputs");
  const std::map<std::string, Work> known = works(argv[1]);
  std::cout << "Eigen " << EIGEN_WORLD_VERSION << '.' << EIGEN_MAJOR_VERSION << '.' << EIGEN_MINOR_VERSION << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string request, name, file;
    int repeats = 0;
    words >> request >> name >> repeats >> file;
    const auto work = known.find(name);
    if (work == known.end()) fail("no such work: " + name);
    if (request == "prepare") {
      std::cout << 0.0 << std::endl;
      continue;
    }
    std::function<Numbers()> numbers;
    const auto start = std::chrono::steady_clock::now();
    for (int k = 0; k < repeats; ++k) numbers = work->second();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (!file.empty()) {
      const Numbers flat = numbers();
      std::ofstream out(file, std::ios::binary);
      out.write(reinterpret_cast<const char *>(flat.data()), static_cast<std::streamsize>(flat.size() * sizeof(float)));
    }
    std::cout << seconds.count() / repeats << std::endl;
  }
}
