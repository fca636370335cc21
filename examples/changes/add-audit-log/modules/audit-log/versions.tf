# Written for provider 3.39 and every later one up to 6, except 4.0 to 4.8, in which a bucket's settings were read-only.
terraform {
  required_version = ">= 1.5.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 3.39.0, < 7.0.0"
    }
  }
}
