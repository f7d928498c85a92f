// tfjs-node's binding with functions of ours beside its own, compiled as one file. Needs tfjs-node's `binding` folder,
// the headers of TensorFlow's C interface and Node-API's among the include paths.
#include <node_api.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

// tfjs's registration is left out: the one at the end of this file stands for both. Its table of handles is private;
// handles of ours have to stand in it.
#undef NAPI_MODULE
#define NAPI_MODULE(name, init)
#define private public
#include "tfjs_backend.cc"
#include "tfjs_binding.cc"
#undef private

#include "execute.h"
#include "random.h"

namespace {

constexpr size_t kPart = 1 << 16;  // elements that a thread takes at least
constexpr unsigned kMostThreads = 8;

// frugalRandom(kind, hi, lo, offset, out): writes elements offset … offset + out.length of a key's stream (docs/random.md).
// kind: 0 bits (Int32Array), 1 uniforms, 2 normals, 3 signs (Float32Array).
napi_value Random(napi_env env, napi_callback_info info) {
  size_t count = 5;
  napi_value args[5];
  uint32_t kind, hi, lo;
  int64_t offset;
  napi_typedarray_type type;
  size_t length;
  void *data;
  const bool fits = napi_get_cb_info(env, info, &count, args, nullptr, nullptr) == napi_ok && count == 5 &&
                    napi_get_value_uint32(env, args[0], &kind) == napi_ok && kind < 4 &&
                    napi_get_value_uint32(env, args[1], &hi) == napi_ok &&
                    napi_get_value_uint32(env, args[2], &lo) == napi_ok &&
                    napi_get_value_int64(env, args[3], &offset) == napi_ok && offset >= 0 &&
                    napi_get_typedarray_info(env, args[4], &type, &length, &data, nullptr, nullptr) == napi_ok &&
                    type == (kind == 0 ? napi_int32_array : napi_float32_array);
  if (!fits) {
    napi_throw_type_error(env, nullptr, "frugalRandom takes (kind, hi, lo, offset, Int32Array or Float32Array).");
    return nullptr;
  }
  frugal::Fill(kind, hi, lo, static_cast<uint64_t>(offset), data, length, kPart, kMostThreads);
  return nullptr;
}

void Add(napi_env env, napi_value object, const char *name, napi_callback function, void *data) {
  napi_value value;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, function, data, &value) != napi_ok) return;
  napi_set_named_property(env, object, name, value);
}

}  // namespace

NAPI_MODULE_INIT() {
  napi_value all = tfnodejs::InitTFNodeJSBinding(env, exports);
  auto *const executor = new frugal::Executor();
  if (napi_add_env_cleanup_hook(env, frugal::Executor::Free, executor) != napi_ok) return all;
  Add(env, all, "frugalRandom", Random, nullptr);
  Add(env, all, "frugalPlan", frugal::MakePlan, executor);
  Add(env, all, "frugalRun", frugal::Run, executor);
  Add(env, all, "frugalShare", frugal::Share, executor);
  return all;
}
