// Running an operation of TensorFlow's with its name and attributes kept from before: tfjs's executeOp reads them from
// JavaScript objects at each call, which takes longer than a small operation itself.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace frugal {

using tfnodejs::TFJSBackend;

constexpr size_t kMostInputs = 16;
constexpr int kMostRank = 12;

// An attribute, as JavaScript gives it: {name, type, value}.
struct Attribute {
  std::string name;
  TF_AttrType type;
  bool is_list = false;
  std::string text;
  std::vector<int64_t> integers;  // also booleans, types and shapes
  float number = 0;
};

struct Plan {
  std::string name;
  std::vector<Attribute> attributes;
};

struct Executor {
  std::vector<Plan> plans;
  TF_Status *const status = TF_NewStatus();
  static void Free(void *self) {
    TF_DeleteStatus(static_cast<Executor *>(self)->status);
    delete static_cast<Executor *>(self);
  }
};

inline bool Throw(napi_env env, const std::string &message) {
  napi_throw_error(env, nullptr, message.c_str());
  return false;
}

inline std::string Text(napi_env env, napi_value value) {
  size_t length = 0;
  napi_get_value_string_utf8(env, value, nullptr, 0, &length);
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, &text[0], length + 1, &length);
  return text;
}

inline int64_t Integer(napi_env env, napi_value value) {
  int64_t integer = 0;
  bool flag = false;
  if (napi_get_value_bool(env, value, &flag) == napi_ok) return flag;
  napi_get_value_int64(env, value, &integer);
  return integer;
}

inline napi_value Property(napi_env env, napi_value object, const char *name) {
  napi_value value;
  napi_get_named_property(env, object, name, &value);
  return value;
}

inline Attribute ReadAttribute(napi_env env, napi_value object) {
  Attribute attribute;
  attribute.name = Text(env, Property(env, object, "name"));
  attribute.type = static_cast<TF_AttrType>(Integer(env, Property(env, object, "type")));
  napi_value value = Property(env, object, "value");
  napi_is_array(env, value, &attribute.is_list);
  if (attribute.is_list) {
    uint32_t length = 0;
    napi_get_array_length(env, value, &length);
    for (uint32_t i = 0; i < length; i++) {
      napi_value element;
      napi_get_element(env, value, i, &element);
      attribute.integers.push_back(Integer(env, element));
    }
  } else if (attribute.type == TF_ATTR_STRING) {
    attribute.text = Text(env, value);
  } else if (attribute.type == TF_ATTR_FLOAT) {
    double number = 0;
    napi_get_value_double(env, value, &number);
    attribute.number = static_cast<float>(number);
  } else {
    attribute.integers.push_back(Integer(env, value));
  }
  return attribute;
}

inline void SetAttribute(TFE_Op *op, const Attribute &a, TF_Status *status) {
  const char *const name = a.name.c_str();
  switch (a.type) {
    case TF_ATTR_STRING: TFE_OpSetAttrString(op, name, a.text.data(), a.text.size()); break;
    case TF_ATTR_FLOAT: TFE_OpSetAttrFloat(op, name, a.number); break;
    case TF_ATTR_BOOL: TFE_OpSetAttrBool(op, name, a.integers[0] != 0); break;
    case TF_ATTR_TYPE: TFE_OpSetAttrType(op, name, static_cast<TF_DataType>(a.integers[0])); break;
    case TF_ATTR_SHAPE: TFE_OpSetAttrShape(op, name, a.integers.data(), a.integers.size(), status); break;
    case TF_ATTR_INT:
      if (a.is_list) TFE_OpSetAttrIntList(op, name, a.integers.data(), a.integers.size());
      else TFE_OpSetAttrInt(op, name, a.integers[0]);
      break;
    default: TF_SetStatus(status, TF_INVALID_ARGUMENT, "an attribute has a type that is not known");
  }
}

inline TFJSBackend *BackendOf(napi_env env) {
  void *backend = nullptr;
  napi_get_instance_data(env, &backend);
  return static_cast<TFJSBackend *>(backend);
}

// frugalPlan(name, attributes): the number of a plan, for frugalRun. Plans are kept.
inline napi_value MakePlan(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value args[2];
  void *data;
  napi_get_cb_info(env, info, &count, args, nullptr, &data);
  auto *const executor = static_cast<Executor *>(data);
  Plan plan{Text(env, args[0]), {}};
  uint32_t length = 0;
  napi_get_array_length(env, args[1], &length);
  for (uint32_t i = 0; i < length; i++) {
    napi_value attribute;
    napi_get_element(env, args[1], i, &attribute);
    plan.attributes.push_back(ReadAttribute(env, attribute));
  }
  executor->plans.push_back(std::move(plan));
  napi_value number;
  napi_create_uint32(env, executor->plans.size() - 1, &number);
  return number;
}

// frugalRun(plan, into, ...handles): runs an operation with one output, or with none if `into` is undefined. Writes the
// output's rank and dimensions into the Int32Array `into` and returns its handle.
inline napi_value Run(napi_env env, napi_callback_info info) {
  size_t count = 2 + kMostInputs;
  napi_value args[2 + kMostInputs];
  void *data;
  napi_get_cb_info(env, info, &count, args, nullptr, &data);
  auto *const executor = static_cast<Executor *>(data);
  TFJSBackend *const backend = BackendOf(env);
  TF_Status *const status = executor->status;
  uint32_t number = 0;
  if (count < 2 || count > 2 + kMostInputs || napi_get_value_uint32(env, args[0], &number) != napi_ok ||
      number >= executor->plans.size()) {
    Throw(env, "frugalRun takes the number of a plan, an Int32Array or undefined, and at most 16 handles.");
    return nullptr;
  }
  const Plan &plan = executor->plans[number];
  TFE_Op *const op = TFE_NewOp(backend->tfe_context_, plan.name.c_str(), status);
  bool good = TF_GetCode(status) == TF_OK;
  for (size_t i = 2; good && i < count; i++) {
    int32_t id = -1;
    napi_get_value_int32(env, args[i], &id);
    const auto found = backend->tfe_handle_map_.find(id);
    if (found == backend->tfe_handle_map_.end()) {
      TF_SetStatus(status, TF_NOT_FOUND, "an input was deleted");
      good = false;
    } else {
      TFE_OpAddInput(op, found->second, status);
      good = TF_GetCode(status) == TF_OK;
    }
  }
  for (const Attribute &attribute : plan.attributes) {
    if (good) SetAttribute(op, attribute, status);
  }
  int32_t *into = nullptr;
  napi_valuetype type;
  napi_typeof(env, args[1], &type);
  if (type != napi_undefined) {
    napi_get_typedarray_info(env, args[1], nullptr, nullptr, reinterpret_cast<void **>(&into), nullptr, nullptr);
  }
  TFE_TensorHandle *result = nullptr;
  int results = into == nullptr ? 0 : 1;
  if (good && TF_GetCode(status) == TF_OK) TFE_Execute(op, &result, &results, status);
  if (op != nullptr) TFE_DeleteOp(op);
  if (TF_GetCode(status) != TF_OK) {
    Throw(env, plan.name + ": " + TF_Message(status));
    return nullptr;
  }
  if (into == nullptr) return nullptr;
  const int rank = TFE_TensorHandleNumDims(result, status);
  if (rank > kMostRank) {
    TFE_DeleteTensorHandle(result);
    Throw(env, plan.name + ": the result has too many dimensions");
    return nullptr;
  }
  into[0] = rank;
  for (int i = 0; i < rank; i++) into[1 + i] = static_cast<int32_t>(TFE_TensorHandleDim(result, i, status));
  napi_value id;
  napi_create_int32(env, backend->InsertHandle(result), &id);
  return id;
}

// frugalShare(handle): another handle of the same memory.
inline napi_value Share(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value args[1];
  void *data;
  napi_get_cb_info(env, info, &count, args, nullptr, &data);
  TF_Status *const status = static_cast<Executor *>(data)->status;
  TFJSBackend *const backend = BackendOf(env);
  int32_t id = -1;
  napi_get_value_int32(env, args[0], &id);
  const auto found = backend->tfe_handle_map_.find(id);
  if (found == backend->tfe_handle_map_.end()) {
    Throw(env, "frugalShare takes a handle that was not deleted.");
    return nullptr;
  }
  TFE_TensorHandle *const shared = TFE_TensorHandleCopySharingTensor(found->second, status);
  if (TF_GetCode(status) != TF_OK) {
    Throw(env, std::string("frugalShare: ") + TF_Message(status));
    return nullptr;
  }
  napi_value result;
  napi_create_int32(env, backend->InsertHandle(shared), &result);
  return result;
}

}  // namespace frugal
