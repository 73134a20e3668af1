// whole FILE.f32: the gait at each step of a whole sequence, from C++.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <vector>

#include <gait.h>

// Calls the library with memory of its own, which grows when a sequence is longer than those before.
class Gait {
public:
    std::vector<float> operator()(const std::vector<float> &motion) {
        const auto steps = static_cast<std::int64_t>(motion.size() / GAIT_MOTION_SIZE);
        arena.resize(std::max(arena.size(), gait_arena_bytes(1, steps)));
        std::vector<float> gait(motion.size() / GAIT_MOTION_SIZE * GAIT_KIND_SIZE);
        const auto code =
            gait_predict(gait_embedded(), motion.data(), gait.data(), 1, steps, arena.data(), arena.size(), 1);
        if (code != NETWRIGHT_OK) throw std::runtime_error(gait_error(code));
        return gait;
    }

private:
    std::vector<unsigned char> arena;
};

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    std::ifstream file(argv[1], std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    std::vector<float> motion(bytes.size() / sizeof(float));
    std::copy_n(bytes.begin(), motion.size() * sizeof(float), reinterpret_cast<char *>(motion.data()));
    const auto gait = Gait{}(motion);
    for (auto step = gait.begin(); step != gait.end(); step += GAIT_KIND_SIZE)
        std::cout << gait_kind_label(std::max_element(step, step + GAIT_KIND_SIZE) - step) << '\n';
}
