package dynamo

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// An item is the attributes of an item, its key, or the values of an
// expression.
type item = map[string]types.AttributeValue

// A field is an attribute of an item and the variable that holds its value. Each
// kind of item lists its fields once, for writing and for reading.
type field struct {
	name   string
	value  types.AttributeValue             // of the variable; nil: empty, which has no attribute
	read   func(types.AttributeValue) error // sets the variable
	needed bool                             // an item without it is an error
}

// encode returns v as an item. Its fields include those of the key.
func encode[T any](v T, fields func(*T) []field) item {
	i := make(item)
	for _, f := range fields(&v) {
		if f.value != nil {
			i[f.name] = f.value
		}
	}
	return i
}

// decode reads what encode has written.
func decode[T any](i item, fields func(*T) []field) (v T, err error) {
	err = read(i, fields(&v)...)
	return v, err
}

// read sets the variables of fields to the attributes of i. A variable whose
// attribute is missing stays as it is.
func read(i item, fields ...field) error {
	for _, f := range fields {
		v, ok := i[f.name]
		if !ok && !f.needed {
			continue
		}
		if err := f.read(v); err != nil {
			return err
		}
	}
	return nil
}

// newField returns a field whose attribute has the type A. It is written if full.
func newField[A types.AttributeValue](name string, full bool, value A, set func(A) bool) field {
	f := field{name: name, read: func(v types.AttributeValue) error {
		if a, ok := v.(A); ok && set(a) {
			return nil
		}
		return malformed(name)
	}}
	if full {
		f.value = value
	}
	return f
}

// malformed names an attribute that no field has written so.
func malformed(name string) error {
	return fmt.Errorf("attribute %s is not as it was written", name)
}

// keyField is a part of the key: a prefix and the variable.
func keyField(name, prefix string, p *string) field {
	return newField(name, true, text(prefix+*p), func(v *types.AttributeValueMemberS) bool {
		*p = strings.TrimPrefix(v.Value, prefix)
		return true
	})
}

// fixedField is a part of the key that is the same in every item of a kind.
func fixedField(name, value string) field { return keyField(name, value, new(string)) }

// shown returns f as one that is only read.
func shown(f field) field {
	f.value = nil
	return f
}

// required returns f as one that every item has.
func required(f field) field {
	f.needed = true
	return f
}

func textField[T ~string](name string, p *T) field {
	return newField(name, *p != "", text(string(*p)), func(v *types.AttributeValueMemberS) bool {
		*p = T(v.Value)
		return true
	})
}

// neededField is a textField that is compared with others. An item without it
// must not pass for one in which it is empty.
func neededField[T ~string](name string, p *T) field {
	return required(newField(name, *p != "", text(string(*p)), func(v *types.AttributeValueMemberS) bool {
		*p = T(v.Value)
		return v.Value != ""
	}))
}

func bytesField(name string, p *[]byte) field {
	return newField(name, len(*p) > 0, blob(*p), func(v *types.AttributeValueMemberB) bool {
		*p = v.Value
		return true
	})
}

func boolField(name string, p *bool) field {
	return newField(name, true, flag(*p), func(v *types.AttributeValueMemberBOOL) bool {
		*p = v.Value
		return true
	})
}

func timeField(name string, p *time.Time) field {
	return newField(name, !p.IsZero(), seconds(*p), func(v *types.AttributeValueMemberN) bool {
		n, err := strconv.ParseInt(v.Value, 10, 64)
		*p = time.Unix(n, 0).UTC()
		return err == nil
	})
}

func countField(name string, p **int64) field {
	var n int64
	if *p != nil {
		n = **p
	}
	return newField(name, *p != nil, number(n), func(v *types.AttributeValueMemberN) bool {
		n, err := strconv.ParseInt(v.Value, 10, 64)
		*p = &n
		return err == nil
	})
}

func textsField(name string, p *[]string) field {
	l := &types.AttributeValueMemberL{Value: make([]types.AttributeValue, len(*p))}
	for i, s := range *p {
		l.Value[i] = text(s)
	}
	return newField(name, *p != nil, l, func(v *types.AttributeValueMemberL) bool {
		*p = make([]string, len(v.Value))
		for i, a := range v.Value {
			s, ok := a.(*types.AttributeValueMemberS)
			if !ok {
				return false
			}
			(*p)[i] = s.Value
		}
		return true
	})
}

func text(s string) *types.AttributeValueMemberS  { return &types.AttributeValueMemberS{Value: s} }
func flag(b bool) *types.AttributeValueMemberBOOL { return &types.AttributeValueMemberBOOL{Value: b} }

// blob returns b, which may be empty but not nil: the SDK sends nil as null, which
// DynamoDB rejects.
func blob(b []byte) *types.AttributeValueMemberB {
	return &types.AttributeValueMemberB{Value: append([]byte{}, b...)}
}

func number(n int64) *types.AttributeValueMemberN {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func seconds(t time.Time) *types.AttributeValueMemberN { return number(t.Unix()) }

// textOf returns the text of an attribute, or nothing if it has none.
func textOf(i item, name string) string {
	if s, ok := i[name].(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// timeOf returns the time in an attribute, or the zero time if it has none.
func timeOf(i item, name string) (t time.Time) {
	if read(i, timeField(name, &t)) != nil {
		return time.Time{}
	}
	return t
}

// after returns what follows prefix in a part of the key.
func after(i item, part, prefix string) string {
	return strings.TrimPrefix(textOf(i, part), prefix)
}
