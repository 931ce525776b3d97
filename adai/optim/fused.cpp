// A step of Adai, AdaiW or AdaiV2 on a CPU, over lists of float or double tensors, in two passes over memory:
// `adai_moments` reads the gradients once, for the mean of v; `adai_move` does the rest of the step.
// It needs no header of torch, so it compiles in a second and serves every version of torch.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__)
// These exist for whole vectors, but the C library's own header says so only where NaN may be ignored.
#define VECTORS __attribute__((__simd__("notinbranch")))
extern "C" {
VECTORS float expf(float) noexcept;
VECTORS float logf(float) noexcept;
VECTORS double exp(double) noexcept;
VECTORS double log(double) noexcept;
}
#endif

namespace {

inline float exponential(float x) { return expf(x); }
inline double exponential(double x) { return exp(x); }
inline float logarithm(float x) { return logf(x); }
inline double logarithm(double x) { return log(x); }

constexpr int64_t kPart = 8192;  // elements: what one thread does at a time
constexpr int64_t kBlock = 512;  // elements that are summed in the tensors' own type

struct Part {
  int64_t tensor, begin, end;
};

std::vector<Part> parts_of(int64_t tensors, const int64_t* sizes) {
  std::vector<Part> parts;
  for (int64_t i = 0; i < tensors; ++i)
    for (int64_t begin = 0; begin < sizes[i]; begin += kPart)
      parts.push_back({i, begin, std::min(begin + kPart, sizes[i])});
  return parts;
}

double one_minus_power(double beta, double t) { return beta > 0 ? -std::expm1(t * std::log(beta)) : 1; }

// 1 - beta2^t of each tensor; most have the same t.
std::vector<double> corrections_of(int64_t tensors, float** steps, double beta2) {
  std::vector<double> corrections(tensors);
  for (int64_t i = 0; i < tensors; ++i)
    corrections[i] = i > 0 && *steps[i] == *steps[i - 1] ? corrections[i - 1] : one_minus_power(beta2, *steps[i]);
  return corrections;
}

// One function for all sums of v, so that they are the same to the last bit whenever they are taken.
template <class T>
__attribute__((noinline)) double sum(const T* values, int64_t count) {
  T total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < count; ++i) total += values[i];
  return total;
}

// Sums over parts become sums over tensors, in one order for any number of threads.
void gather(const std::vector<Part>& parts, const std::vector<double>& of_parts, int64_t tensors, double* sums) {
  std::fill(sums, sums + tensors, 0.0);
  for (size_t k = 0; k < parts.size(); ++k) sums[parts[k].tensor] += of_parts[k];
}

// The sum of all v / (1 - beta2^t), with the v and the t of this step; v itself is not written yet. `sums` are those
// of the old v, if they are known from the last step; otherwise they are taken here.
template <class T>
double moments(int64_t tensors, const int64_t* sizes, T** thetas, T** gs, T** vs, float** steps, double* sums,
               int known, double beta2, double decay, double sign, int threads) {
  const auto parts = parts_of(tensors, sizes);
  const int used = std::min<int64_t>(threads, parts.size());
  std::vector<double> of_v(parts.size()), of_squares(parts.size()), squares(tensors);
  const T l2 = decay, s = sign;
#pragma omp parallel for num_threads(used) schedule(static) if (used > 1)
  for (int64_t k = 0; k < (int64_t)parts.size(); ++k) {
    const Part part = parts[k];
    const T *theta = thetas[part.tensor], *g = gs[part.tensor];
    for (int64_t begin = part.begin; begin < part.end; begin += kBlock) {
      const int64_t end = std::min(begin + kBlock, part.end);
      T total = 0;
      if (l2 == 0) {
#pragma omp simd reduction(+ : total)
        for (int64_t i = begin; i < end; ++i) total += g[i] * g[i];
      } else {
#pragma omp simd reduction(+ : total)
        for (int64_t i = begin; i < end; ++i) {
          const T descent = s * g[i] + l2 * theta[i];
          total += descent * descent;
        }
      }
      of_squares[k] += total;
      if (!known) of_v[k] += sum(vs[part.tensor] + begin, end - begin);
    }
  }
  gather(parts, of_squares, tensors, squares.data());
  if (!known) gather(parts, of_v, tensors, sums);
  for (int64_t i = 0; i < tensors; ++i) *steps[i] += 1;
  const auto corrections = corrections_of(tensors, steps, beta2);
  double total = 0;
  for (int64_t i = 0; i < tensors; ++i) total += (beta2 * sums[i] + (1 - beta2) * squares[i]) / corrections[i];
  return total;
}

struct Rule {
  double lr, beta0, beta2, eps, l2, decoupled, dampening, sign;
};

// One part of a tensor; c, which is 1 - the product of all beta1, is not there where it has become 1 for good.
template <class T, bool kDamped, bool kSpent>
void move_part(int64_t count, T* __restrict theta, const T* __restrict g, T* __restrict m, T* __restrict v,
               T* __restrict c, T scale, const Rule& rule) {
  const T b2 = rule.beta2, rest = 1 - rule.beta2, eps = rule.eps, lr = rule.lr, l2 = rule.l2, s = rule.sign;
  const T kept = 1 - rule.lr * rule.decoupled, log_eps = std::log(rule.eps), share = rule.dampening;
  const T root = 1 / (3 - 2 * rule.dampening), strength = std::pow(rule.beta0, 1 - rule.dampening);
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const T descent = s * g[i] + l2 * theta[i];
    v[i] = b2 * v[i] + rest * (descent * descent);
    T w = v[i] * scale, drive;  // w: 1 - beta1. A comparison with NaN is false, so NaN stays
    if (kDamped) {
      T exponent = root * logarithm(w);
      exponent = exponent < log_eps ? log_eps : exponent;
      exponent = exponent > 0 ? T(0) : exponent;
      w = exponential(exponent);
      drive = strength * exponential(share * exponent) * descent;
    } else {
      w = w < eps ? eps : w;
      w = w > 1 ? T(1) : w;
      drive = w * descent;
    }
    m[i] = m[i] - w * m[i] + drive;
    if (kSpent) {
      theta[i] = kept * theta[i] - lr * m[i];
    } else {
      c[i] += w * (1 - c[i]);
      theta[i] = kept * theta[i] - lr * (m[i] / c[i]);
    }
  }
}

// The rest of the step; `sums` become those of the new v.
template <class T>
void move(int64_t tensors, const int64_t* sizes, T** thetas, T** gs, T** ms, T** vs, T** cs, float** steps,
          double* sums, double v_bar, const Rule& rule, int threads) {
  const auto parts = parts_of(tensors, sizes);
  const int used = std::min<int64_t>(threads, parts.size());
  std::vector<double> of_v(parts.size());
  const double factor = std::pow(rule.beta0, 3 - 2 * rule.dampening);
  // Where the mean is 0 every v is 0, and so must be the product, which it is not if a scale is infinite.
  const double most = std::numeric_limits<T>::max() / std::max(2 * factor, 1.0);
  std::vector<T> scales(tensors);
  const auto corrections = corrections_of(tensors, steps, rule.beta2);
  for (int64_t i = 0; i < tensors; ++i) {
    const double scale = 1 / (v_bar * corrections[i]);
    scales[i] = (scale > most ? most : scale) * factor;
  }
  const auto plain = rule.dampening == 1;
#pragma omp parallel for num_threads(used) schedule(static) if (used > 1)
  for (int64_t k = 0; k < (int64_t)parts.size(); ++k) {
    const auto [i, first, last] = parts[k];
    T* const c = cs[i];
    const auto one = plain ? (c ? move_part<T, false, false> : move_part<T, false, true>)
                           : (c ? move_part<T, true, false> : move_part<T, true, true>);
    for (int64_t begin = first; begin < last; begin += kBlock) {
      const int64_t count = std::min(kBlock, last - begin);
      one(count, thetas[i] + begin, gs[i] + begin, ms[i] + begin, vs[i] + begin, c ? c + begin : c, scales[i], rule);
      of_v[k] += sum(vs[i] + begin, count);
    }
  }
  gather(parts, of_v, tensors, sums);
}

}  // namespace

#define EXPORT(T)                                                                                                     \
  extern "C" double adai_moments_##T(int64_t tensors, const int64_t* sizes, T** theta, T** g, T** v, float** step,    \
                                     double* sums, int known, double beta2, double l2, double sign, int threads) {    \
    return moments<T>(tensors, sizes, theta, g, v, step, sums, known, beta2, l2, sign, threads);                      \
  }                                                                                                                   \
  extern "C" void adai_move_##T(int64_t tensors, const int64_t* sizes, T** theta, T** g, T** v, float** step,         \
                                double* sums, T** m, T** c, double v_bar, double lr, double beta0, double beta2,      \
                                double eps, double decoupled, double dampening, double l2, double sign,               \
                                int threads) {                                                                        \
    move<T>(tensors, sizes, theta, g, m, v, c, step, sums, v_bar,                                                     \
            Rule{lr, beta0, beta2, eps, l2, decoupled, dampening, sign}, threads);                                    \
  }

EXPORT(float)
EXPORT(double)
